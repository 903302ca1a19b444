"""What people read after a check."""

from __future__ import annotations

import dataclasses

import pytest

from equiv.machine.concrete import Input, Observation, TraceStep
from equiv.report.style import PLAIN, Style
from equiv.report.terminal import path_lines, render_result
from equiv.result import Result

EQUIVALENT = """\
equivalent
Both sides show the same for every packet.

left       acme/parser.bpf.o:parse  (program, sha256 abababababababab)
right      acme/parser.dev  (device table, sha256 cdcdcdcdcdcdcdcd)
interface  xdp

assumptions
  - packets are linear
  - packets have 14 to 65535 bytes

handed to the host, not compared
  - right: start → options; for example 0102
"""

DIFFERENT = """\
different
On some packet the metadata differs.

left       acme/parser.bpf.o:parse  (program, sha256 abababababababab)
right      acme/parser.dev  (device table, sha256 cdcdcdcdcdcdcdcd)
interface  xdp

counterexample: what differs (marked *)
           left                   right
  verdict  accept (code 2)        accept (code 2)
* meta     0a000001 00350000      0a000001 35000000
    saddr  167772161 (0xa000001)  167772161 (0xa000001)
*   sport  53 (0x35)              13568 (0x3500)
  2 more observables equal on both sides

packet, 42 bytes, those that mattered in [brackets]
"""

AFTER_THE_LAYERS = """\
  0000  ff ff ff ff ff ff 00 00  00 00 00 00[08 00]45 00   ..............E.
  0010  00 1c 00 01 00 00 40 11  00 00 0a 00 00 01 0a 00   ......@.........
  0020  00 02[00 35]10 00 00 08  00 00                     ...5......

further inputs
  - linear part of the skb: 20 of 42 bytes
  - context ingress_ifindex = 3 (0x3)
  - map ports: key 00000000 holds 0102

path on the left: acme/parser.bpf.o:parse
  parser.c:10  if (eth->h_proto != htons(ETH_P_IP))  (× 3)
  parser.c:14  return XDP_PASS;

path on the right: acme/parser.dev
  parser.dev:30  state start

confirmed by interpreter, kernel
  - the device's table has no kernel to run on

assumptions
  - packets are linear

warnings
  - no path reaches the verdict tx
"""

UNKNOWN = """\
unknown
The proof is not complete.

left       acme/parser.bpf.o:parse  (program, sha256 abababababababab)
right      acme/parser.dev  (device table, sha256 cdcdcdcdcdcdcdcd)
interface  xdp

not shown because
  - left: src/parser.c:21:9 (parse instruction 17): helper bpf_ktime_get_ns is not modelled: t =
    bpf_ktime_get_ns();

assumptions
  - none
"""


def test_equivalent_is_the_verdict_its_reason_and_what_was_assumed(equivalent: Result) -> None:
    assert render_result(equivalent) == EQUIVALENT


def test_different_shows_observables_packet_and_paths(different: Result) -> None:
    report = render_result(different)
    assert report.startswith(DIFFERENT)
    assert report.endswith(AFTER_THE_LAYERS)


def test_packet_is_decoded_into_layers(different: Result) -> None:
    report = render_result(different)
    layers = report[len(DIFFERENT) : -len(AFTER_THE_LAYERS)]
    assert [line.split()[0] for line in layers.splitlines() if not line.startswith("   ")] == ["Ethernet", "IP", "UDP"]
    assert "src 10.0.0.1" in layers


def test_unknown_names_each_cause_with_its_place(unknown: Result) -> None:
    assert render_result(unknown) == UNKNOWN


def test_statistics_only_on_request(equivalent: Result) -> None:
    assert "12 joint states" not in render_result(equivalent)
    assert "12 joint states" in render_result(equivalent, verbose=True)
    assert "peak memory 52.0 MB" in render_result(equivalent, verbose=True)


def test_plain_text_holds_no_escape_sequence(different: Result) -> None:
    assert "\x1b" not in render_result(different, Style(enabled=False), verbose=True)


def test_emphasis_adds_nothing_but_escape_sequences(different: Result) -> None:
    import re

    coloured = render_result(different, Style(enabled=True))
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == render_result(different)


@pytest.mark.parametrize("hostile", ["\x1b[2J", "\r", "\x07", "\u202e", "\x9b31m", "a\nequivalent", "\udcff"])
def test_control_characters_of_inputs_are_made_visible(different: Result, hostile: str) -> None:
    found = different.counterexamples[0]
    path = (TraceStep(hostile, 1, hostile),)
    left = Observation(hostile, 2, {hostile: 1, "meta": b""}, path)
    hostile_result = dataclasses.replace(
        different,
        reason=hostile,
        interface=hostile,
        left=dataclasses.replace(different.left, path=hostile, program=hostile),
        assumptions=(hostile,),
        warnings=(hostile,),
        counterexamples=(
            dataclasses.replace(
                found,
                input=Input(b"", context={hostile: 1}, maps={hostile: {b"": b""}}),
                left=left,
                differs=("meta", hostile),
                notes=(hostile,),
                confirmed_by=(hostile,),
            ),
        ),
    )
    report = render_result(hostile_result, verbose=True)
    assert hostile not in report
    assert all(character.isprintable() or character == "\n" for character in report)
    assert "\nequivalent" not in report


def test_long_path_shows_its_beginning_and_its_end(different: Result) -> None:
    path = tuple(TraceStep("p.c", line, f"step {line}") for line in range(1, 101))
    found = dataclasses.replace(
        different.counterexamples[0], left=dataclasses.replace(different.counterexamples[0].left, path=path)
    )
    result = dataclasses.replace(different, counterexamples=(found,))
    report = render_result(result)
    assert "step 1\n" in report and "step 100\n" in report and "step 50\n" not in report
    assert "… 76 more (-v shows all) …" in report
    assert "step 50\n" in render_result(result, verbose=True)


def test_lines_of_brackets_are_left_out_and_decisions_of_one_line_are_told_together() -> None:
    condition = "if (version != 4 || ihl < 5)"
    path = (
        TraceStep("p.c", 1, "{"),
        TraceStep("p.c", 2, f"{condition}  [3: not taken]"),
        TraceStep("p.c", 2, f"{condition}  [5: taken]"),
        TraceStep("p.c", 3, "i++;"),
        TraceStep("p.c", 3, "i++;"),
        TraceStep("p.c", 4, ""),
        TraceStep("p.c", 9, "}"),
    )
    assert path_lines(path, PLAIN) == [
        f"p.c:2  {condition}  [3: not taken, 5: taken]",
        "p.c:3  i++;  (× 2)",
        "p.c:4",
    ]
    assert len(path_lines(path, PLAIN, verbose=True)) == 6


def test_every_counterexample_is_shown(different: Result) -> None:
    result = dataclasses.replace(different, counterexamples=different.counterexamples * 2)
    report = render_result(result)
    assert "counterexample 1: what differs" in report and "counterexample 2: what differs" in report


def test_kernel_that_disagrees_with_the_interpreter_is_reported(different: Result) -> None:
    found = different.counterexamples[0]
    kernel = {"left": dataclasses.replace(found.left, values={**found.left.values, "rest": 6})}
    result = dataclasses.replace(different, counterexamples=(dataclasses.replace(found, kernel=kernel),))
    assert "rest: interpreter 5, kernel 6" in render_result(result)


def test_observable_that_one_side_lacks_is_called_absent(different: Result) -> None:
    found = different.counterexamples[0]
    right = dataclasses.replace(found.right, values={})
    result = dataclasses.replace(
        different, counterexamples=(dataclasses.replace(found, right=right, differs=("meta", "meta.size")),)
    )
    assert "* meta.size  8" in render_result(result)
    assert "absent" in render_result(result)


def test_values_that_do_not_count_with_the_verdicts_are_not_called_equal(different: Result) -> None:
    found = different.counterexamples[0]
    right = Observation("drop", 1, {"meta": b"", "meta.size": 8})
    dropped = dataclasses.replace(found, right=right, differs=("verdict",))
    report = render_result(dataclasses.replace(different, counterexamples=(dropped,)))
    assert "  1 more observable equal on both sides" in report
    assert "  2 more not compared: not with these verdicts" in report


def test_files_of_one_name_in_two_folders_keep_their_folders(different: Result) -> None:
    path = (TraceStep("a/p.h", 1, "x"), TraceStep("b/p.h", 2, "y"))
    left = dataclasses.replace(different.counterexamples[0].left, path=path)
    found = dataclasses.replace(different.counterexamples[0], left=left)
    report = render_result(dataclasses.replace(different, counterexamples=(found,)))
    assert "  a/p.h:1  x" in report and "  b/p.h:2  y" in report
