"""Solver back ends behind one interface: z3 (default) and bitwuzla (extra)."""
