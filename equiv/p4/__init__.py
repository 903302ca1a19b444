"""Parsers written in P4_16, or imported as parser sections and automata: front ends that share one symbolic machine.

In: P4_16 source, BMv2 JSON, automata JSON. Out: a `Parser` (`parser`), which is what `equiv.loaded` holds: its symbolic
machine (`machine`, over the straight `code` that a front end lowers to) and its concrete interpreter, which runs on
the front end's own model and knows nothing of that code.
"""
