"""Conditions on packets and outcomes in a user's words: assumptions, properties, relations between two sides (D120).

In: text, and the `names` that each side has. Out: a condition (`resolve`, `model`), which says what it means twice,
and apart: as a term over symbolic outcomes (`symbolic`), and of concrete runs (`concrete`). `relation` makes of it
what an interface asks.
"""
