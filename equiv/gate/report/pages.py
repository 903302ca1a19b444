"""Web pages of a run: a list of all pairs, and a page for each that has a result."""

from __future__ import annotations

from equiv.errors import InputError
from equiv.gate.report.tally import WORDS, Tally
from equiv.report.html import Listed, Within, page_name, write_index, write_report
from equiv.report.html.write import INDEX
from equiv.report.read_result import result_from_object


def write_pages(tally: Tally, folder: str) -> str:
    """Write the pages into `folder`; returns the path of the list. Raises InputError where that cannot be done."""
    origin = Within((tally.manifest.folder,))
    listed = []
    for each in tally.judged:
        failed, remark = not each.passed, WORDS[each.outcome]
        if each.answer.result is None:
            listed.append(Listed(each.pair.id, None, "", each.why, failed, remark))
            continue
        try:
            result = result_from_object(each.answer.result)
        except InputError as error:
            listed.append(Listed(each.pair.id, None, "", f"not a result: {error}", failed, remark))
            continue
        name = page_name(each.pair.id)
        write_report(result, folder, name=name, origin=origin, index=INDEX)
        listed.append(Listed(each.pair.id, result, name, "", failed, remark))
    return write_index(tally.manifest.title or "equiv gate", listed, folder, summary=tally.in_words())
