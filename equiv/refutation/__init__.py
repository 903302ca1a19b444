"""Refutations that need no solver to be believed: terms as clauses, and proofs over clauses that a few lines check."""
