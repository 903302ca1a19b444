"""Packets that know what they are for: they reach deep into a machine, and stand on both sides of each of its limits.

In: machines (programs, tables, parsers), an interface, seeds. Out: `generator.Generator`, whose `next_batch` gives
packets and whose `keep` learns which of them showed something new. What it draws from:

- `paths`: a solver's model for each path of a machine, as far as time goes;
- `walks`: runs on which the packet is bent at each decision, so that the run goes where it was not yet, and comparisons
  are met exactly, or missed by one;
- `changes`: bytes that decisions looked at, ends at the borders of headers, what the subjects compare with;
- packets that are given, and those kept.

Everything is drawn from one seed; nothing here says `equivalent`.
"""
