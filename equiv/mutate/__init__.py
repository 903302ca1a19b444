"""Single mistakes, made at random: in bytecode, in tables, in parsers.

In: a file of any kind that equiv reads, and a seed. Out: files that differ from it in one small thing, with a line that
says what. Whoever checks anything with equiv should find them; equiv's own benches and tests look for those that
it does not.
"""
