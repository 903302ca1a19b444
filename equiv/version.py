"""The version of this equiv: what certificates say they were made by."""

from __future__ import annotations

VERSION = "0.1.0"
