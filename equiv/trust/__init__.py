"""Trust: what a match of hashes may mean, and who says so.

In: programs and tables, loaded; a catalogue of pairs that were proved, signed and chained; what the kernel and a device
report that they hold. Out: hashes, and for each program whether it may be handed to the device, with the reason if not.

`hashes` over `program_form` and `table_form` says what is hashed, `tags` computes the kernel's own tag. Everything here
reads and decides; `equiv.commands` writes files. What is not known to hold is refused: there is no other default.
"""
