"""Concrete execution as native code: both sides of a check over a batch of packets, compared where they ran (D170).

In: a `Program` or a `Table` and the `Interface` of the check. Out: for each packet whether the two sides show the same,
or that this packet is one for the interpreters. What a program does beyond the plain way (a fault, an unset register, a
helper that is not compiled) ends the native run with "ask the interpreter": it alone says what happens then. So the
interpreters remain the reference, and nothing here has an error message of its own.

Native code touches no address that a program computed: such an address is a number that names a region and an offset in
it, as in the interpreter, and is checked against that region's bounds each time (`equiv.compiled.bpf.memory`).
"""
