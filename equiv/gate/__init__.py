"""The gate: a manifest of pairs with the verdict that each must get, checked before a change is merged.

In: `equiv.toml` (`specs/gate.md`). Out: an exit status, and reports for people and for CI systems. A pair is checked
in a process of its own, in a folder that holds its input files and nothing else (D151), here or on a Dask cluster; what
was found before is taken from a cache (D152).

`manifest` reads what is asked, `needs` says which files that takes, `job` answers one pair, `local` and `cluster` many,
`cache` remembers, `judge` says what is as it should be (D150), `report` tells.

Nothing here imports a solver: a run in which nothing has changed starts no process at all.
"""
