"""Campaigns of generated inputs: two executors run each, and what they show is compared.

In: a program, its interface, two executors (today the interpreter and the running kernel). Out: counts, and the
differences, made small. A campaign proves nothing; it looks for what is wrong with a model or with a program.
"""
