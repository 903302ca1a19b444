"""JUnit XML, as CI systems read it: a suite for each manifest, a test case for each pair."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from equiv.gate.judge import Judged
from equiv.gate.report.tally import WORDS, Tally, command, in_a_sentence
from equiv.report.style import clean


def render(tally: Tally) -> bytes:
    """The whole run as an XML document in UTF-8. Characters that XML does not have stand as `\\x1b`."""
    root = ET.Element("testsuites", name=clean(tally.manifest.title or "equiv gate"))
    _count(root, tally.judged, tally.seconds)
    suites: dict[str, list[Judged]] = {}
    for judged in tally.judged:
        suites.setdefault(judged.pair.manifest, []).append(judged)
    for file, cases in suites.items():
        title = tally.manifest.titles.get(file) or file
        suite = ET.SubElement(root, "testsuite", name=clean(title), file=clean(file))
        _count(suite, cases, sum(_seconds(each) for each in cases))
        for judged in cases:
            _case(suite, judged)
    ET.indent(root)
    document: bytes = ET.tostring(root, "utf-8", xml_declaration=True)
    return document + b"\n"


def _case(suite: ET.Element, judged: Judged) -> None:
    folder, _, name = judged.pair.id.rpartition("/")
    place = judged.pair.place
    case = ET.SubElement(
        suite,
        "testcase",
        name=clean(name),
        classname=clean(folder.replace("/", ".") or "equiv"),
        time=f"{_seconds(judged):.3f}",
        file=clean(judged.pair.manifest),
    )
    if place is not None and place.line:
        case.set("line", str(place.line))
    text = in_a_sentence(judged)
    if judged.outcome == "error":
        kind = "error"
    elif judged.outcome == "allowed":
        ET.SubElement(case, "skipped", message=clean(f"unknown: {text}"))
        return
    elif not judged.passed:
        kind = "failure"
    else:
        return
    told = ET.SubElement(case, kind, type=judged.outcome, message=clean(f"{WORDS[judged.outcome]}: {text}"))
    told.text = "\n".join(map(clean, ["", text, command(judged.pair), *judged.notes, ""]))


def _seconds(judged: Judged) -> float:
    """Seconds of this run: what was known takes none."""
    return 0.0 if judged.source == "cache" else judged.answer.seconds


def _count(element: ET.Element, cases: tuple[Judged, ...] | list[Judged], seconds: float) -> None:
    errors = sum(each.outcome == "error" for each in cases)
    element.set("tests", str(len(cases)))
    element.set("failures", str(sum(not each.passed for each in cases) - errors))
    element.set("errors", str(errors))
    element.set("skipped", str(sum(each.outcome == "allowed" for each in cases)))
    element.set("time", f"{seconds:.3f}")
