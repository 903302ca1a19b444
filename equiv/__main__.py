"""`python -m equiv` is `equiv`."""

from equiv.cli import entry

entry()
