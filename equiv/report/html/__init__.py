"""Results as web pages that need nothing but themselves. In: a `Result`, or its JSON. Out: one HTML file each.

A page holds no link to anything outside of it and allows none (a Content-Security-Policy says so), and is the same
whenever it is made from the same result and inputs. `write_report` and `write_index` are the interface.
"""

from __future__ import annotations

from equiv.report.html.index import Listed, write_index
from equiv.report.html.inputs import ANYWHERE, Within
from equiv.report.html.write import page_name, write_report

__all__ = ["ANYWHERE", "Listed", "Within", "page_name", "write_index", "write_report"]
