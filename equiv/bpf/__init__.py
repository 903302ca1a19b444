"""eBPF: object files in, a machine and a concrete interpreter out.

`elf`, `btf` and `insn` read what clang wrote into the inert `program.Program`; `cfg` knows control flow and liveness;
`symbolic` is the machine that proofs run on; `interpret` executes concretely and shares no semantics with it.
"""
