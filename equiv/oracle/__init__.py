"""The running Linux kernel as the judge: `bpf(2)` loads a program and `BPF_PROG_TEST_RUN` runs it on one packet.

In: a `Program`, its `Interface`, an `Input`. Out: an `Observation` with the interpreter's names and values, without a
path. No library is needed: `syscall` speaks to the kernel, `maps` and `image` make what it loads, `contexts` says what
a test run can be given, `program` puts them together.
"""

from equiv.oracle.program import KernelProgram, VerifierRejected
from equiv.oracle.syscall import available

__all__ = ["KernelProgram", "VerifierRejected", "available"]
