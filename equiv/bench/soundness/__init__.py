"""`equiv bench soundness`: mutants of the corpora, on either side, through everything that has an opinion.

In: pairs that are equivalent. Out: a row for each mutant: what the prover says of it beside its original's counterpart,
whether interpreters tell the two apart on generated packets, what the running kernel makes of it, and whether any of
them contradict each other. A contradiction is a defect of equiv, and the worst kind is a mutant that is told apart and
called equivalent.
"""

from equiv.bench.soundness.command import main

__all__ = ["main"]
