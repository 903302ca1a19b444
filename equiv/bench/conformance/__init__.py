"""`equiv bench conformance`: every opcode of RFC 9669 on many operands, run three ways.

In: nothing but a seed. Out: a row for each opcode and what its fields make of it, as JSON or as a Markdown report:
whether the interpreter, the symbolic step and the running kernel agree.
"""

from equiv.bench.conformance.command import main

__all__ = ["main"]
