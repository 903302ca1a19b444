"""P4 automata as JSON data: states that consume a fixed number of bits, assign, and select; and relations between two.

In: one automaton per file; an index of pairs with the relation each is to have. Out: `model` objects, `lower`ed code
for the symbolic machine, `interpret` on bit strings, `relation`s. The conventions are those that the files state.
"""
