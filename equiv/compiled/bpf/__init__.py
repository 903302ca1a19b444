"""BPF bytecode to native code: one function for a program, whatever calls it makes (RFC 9669).

Each slot is a block; registers, and whether each was written, are variables that LLVM takes into machine registers.
"""
