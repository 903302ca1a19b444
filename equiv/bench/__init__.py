"""`equiv bench`: what the corpora show, and what each answer costs.

In: the `pair.toml` manifests of a corpora folder. Out: rows (one a pair, each measured in a process of its own), as
JSON or as a Markdown report. Nothing here decides a verdict; that is what the measured `equiv check` does.
"""

from equiv.bench.command import main

__all__ = ["main"]
