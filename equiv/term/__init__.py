"""Bit-vector terms."""
