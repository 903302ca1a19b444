"""What a front end must offer (`protocol`), what sides share (`inputs`, `interface`), what a run shows (`concrete`).

In: nothing. Out: the vocabulary that `equiv.bpf` and `equiv.table` implement and `equiv.proof` relies on.
"""
