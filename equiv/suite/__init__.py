"""Suites: packets that go every way of one table or program and stand at its limits, with what each must show.

In: a table or a program. Out: a suite to run against it, against the running kernel, or against anything else that is
said to do the same; and which of its ways no packet can go, proved by the engine.

- `goals` says what there is to cover, `cover` what one input covers;
- `reach` asks the engine for an input that covers something, or for a proof that there is none;
- `make` puts a suite together, `document` writes and reads it, `replay` runs it.
"""
