"""Certificates: the relation that a proof found, written down so that it can be checked without trusting the search."""
