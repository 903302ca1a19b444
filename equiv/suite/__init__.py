"""Suites: packets that go every way of one table or program and stand at its limits, with what each must show.

In: a table or a program. Out: a suite to run against it, against the running kernel, or against anything else that is
said to do the same; and which of its ways no packet can go, proved by the engine.

- `goals` says what there is to cover, `cover` what one input covers;
- `reach` asks the engine for inputs that cover something, or for proofs that there are none: `seek` looks along paths
  of which nothing is forgotten, `survey` at everything that can happen, `watcher` sees what is met on the way;
- `make` puts a suite for a `subject` together, `document` writes and reads it, `replay` runs it.
"""
