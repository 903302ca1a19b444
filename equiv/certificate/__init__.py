"""Certificates: the relation that a proof found, written down to be checked without trusting the search (D4)."""
