"""Manifests: what is read from them, and that whatever cannot be meant is refused at its line."""

from __future__ import annotations

import os
import re
from dataclasses import fields
from datetime import date
from pathlib import Path

import pytest

from equiv import cli
from equiv.errors import InputError
from equiv.gate.manifest import read_manifest
from equiv.gate.model import FLAGS, Allowance, Limits, Manifest, Options
from equiv.question import Question

FILES = ("a.bpf.o", "a.dev", "a.twin.dev", "b.bpf.o", "b.dev", "types.btf", "held.json", "named.outputs", "ports.set")


def write(folder: Path, text: str, name: str = "equiv.toml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        (path.parent / file).touch()
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, text: str) -> Manifest:
    return read_manifest(str(write(folder, text)))


def ids(manifest: Manifest) -> list[str]:
    return [pair.id for pair in manifest.pairs]


def refused(folder: Path, text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        read(folder, text)
    return caught.value


def test_a_pair_is_expected_to_be_equivalent_within_a_minute_unless_it_says_otherwise(tmp_path: Path) -> None:
    (pair,) = read(tmp_path, '[[pair]]\nleft = "a.bpf.o"\nright = "a.dev"\n').pairs
    assert (pair.id, pair.left, pair.right) == ("a.bpf.o=a.dev", "a.bpf.o", "a.dev")
    assert (pair.expected, pair.options, pair.limits, pair.allowance) == (
        "equivalent",
        Options(),
        Limits(60, 4000),
        None,
    )
    assert pair.place is not None and pair.place.line == 1


def test_every_option_of_check_that_changes_what_is_asked_can_be_said(tmp_path: Path) -> None:
    text = """
        timeout = 5
        [[pair]]
        name = "ours"
        left = "a.bpf.o:main"
        right = ["a.dev"]
        expect = "different"
        bug = "no options"
        memory = 100
        allow_unknown = { reason = "too large", until = 2030-01-31 }
        interface = "tc"
        observe_maps = ["flows"]
        tail_calls = ["jmp[0]=parse"]
        snapshots = ["held.json", "m=held.json"]
        observe = "accept"
        exact_end = true
        relation = "held.json#x"
        assume = "length > 20"
        outputs = "named.outputs"
        value_sets = ["ports=ports.set"]
        right_linear = true
        btf = "types.btf"
        solver = "bitwuzla"
        kernel = false
    """
    (pair,) = read(tmp_path, text).pairs
    assert pair.id == "ours" and pair.limits == Limits(5, 100) and pair.bug == "no options"
    assert pair.allowance == Allowance("too large", date(2030, 1, 31))
    assert pair.options.arguments() == [
        *("--interface=tc", "--observe-map=flows", "--tail-call=jmp[0]=parse"),
        *("--map-snapshot=held.json", "--map-snapshot=m=held.json", "--observe=accept", "--exact-end"),
        *("--relation=held.json#x", "--assume=length > 20", "--outputs=named.outputs", "--value-set=ports=ports.set"),
        *("--right-linear", "--btf=types.btf", "--solver=bitwuzla", "--no-kernel"),
    ]


def test_a_property_is_asked_of_the_left_side_alone(tmp_path: Path) -> None:
    (pair,) = read(tmp_path, '[[pair]]\nleft = "a.dev"\nagainst = ["accept => length > 3"]\n').pairs
    assert pair.right is None and pair.id == "a.dev=accept => length > 3"
    assert "it needs `left` and `right`" in refused(tmp_path, '[[pair]]\nleft = "a.dev"\n').message
    both = '[[pair]]\nleft = "a.dev"\nright = "b.dev"\nagainst = "accept"\n'
    assert "it needs `left` and `right`" in refused(tmp_path, both).message


def test_outputs_may_stand_in_the_manifest(tmp_path: Path) -> None:
    (pair,) = read(tmp_path, '[[pair]]\nleft = "a.dev"\nright = "b.dev"\noutputs = ["sport = udp.src"]\n').pairs
    assert pair.options.arguments() == ["--output=sport = udp.src"]


def test_a_pattern_stands_for_every_file_that_it_matches(tmp_path: Path) -> None:
    manifest = read(tmp_path, '[[pair]]\nleft = "*.bpf.o"\nright = "{stem}.dev"\n')
    assert ids(manifest) == ["a.bpf.o=a.dev", "b.bpf.o=b.dev"]
    manifest = read(tmp_path, '[[pair]]\nleft = "a.bpf.o"\nright = ["a*.dev", "b.dev"]\n')
    assert ids(manifest) == ["a.bpf.o=a.dev", "a.bpf.o=a.twin.dev", "a.bpf.o=b.dev"]
    manifest = read(tmp_path, '[[pair]]\nleft = "*.bpf.o:main"\nright = "{left}"\n')
    assert [pair.right for pair in manifest.pairs] == ["a.bpf.o:main", "b.bpf.o:main"]
    assert "matches no file" in refused(tmp_path, '[[pair]]\nleft = "*.none"\nright = "a.dev"\n').message
    assert (
        "unknown placeholder `{stm}`" in refused(tmp_path, '[[pair]]\nleft = "*.bpf.o"\nright = "{stm}.dev"\n').message
    )


def test_two_stars_stand_for_any_folders_but_hidden_ones(tmp_path: Path) -> None:
    for folder in ("x/y", ".hidden", "x/.hidden"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "deep.dev").touch()
    manifest = read(tmp_path, '[[pair]]\nleft = "**/deep.dev"\nright = "{folder}/deep.dev"\n')
    assert [pair.left for pair in manifest.pairs] == ["x/y/deep.dev"]
    assert all(pair.with_itself for pair in manifest.pairs)


def test_included_manifests_have_their_own_folder_interface_and_budgets(tmp_path: Path) -> None:
    write(tmp_path, 'interface = "tc"\n[[pair]]\nleft = "a.bpf.o"\nright = "../a.dev"\n', "in/pair.toml")
    write(tmp_path, 'timeout = 3\n[[pair]]\nleft = "a.bpf.o"\nright = "a.dev"\n', "it/pair.toml")
    text = 'interface = "xdp"\ntimeout = 9\nmemory = 50\ninclude = ["*/pair.toml"]\n'
    first, second = read(tmp_path, text).pairs
    assert (first.id, first.left, first.right) == ("in/a.bpf.o=a.dev", "in/a.bpf.o", "a.dev")
    assert (first.options.interface, first.limits, first.manifest) == ("tc", Limits(9, 50), "in/pair.toml")
    assert (second.options.interface, second.limits) == (None, Limits(3, 50))


def test_every_file_is_compared_with_itself_where_that_is_asked(tmp_path: Path) -> None:
    text = 'with_itself = true\n[[pair]]\nleft = "a.bpf.o"\nright = "a.dev"\ninterface = "tc"\n'
    manifest = read(tmp_path, text + '[[pair]]\nleft = "b.dev"\nright = "b.dev"\n')
    assert ids(manifest) == ["a.bpf.o=a.dev", "b.dev=itself", "a.bpf.o=itself", "a.dev=itself"]
    assert [pair.options.interface for pair in manifest.pairs] == ["tc", None, "tc", "tc"]


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ('[[pair]]\nleft = "a.dev"\nrihgt = "b.dev"\n', 3, "unknown key `rihgt`", "did you mean `right`?"),
        ('[[pair]]\nleft = "a.dev"\nright = "b.dev"\nallow-unknown = 1\n', 4, "unknown key", "`allow_unknown`?"),
        ('timeuot = 3\n[[pair]]\nleft = "a.dev"\nright = "b.dev"\n', 1, "unknown key `timeuot`", "`timeout`?"),
        ('[[pair]]\nleft = "a.dev"\nright = "b.dev"\ninterface = "xpd"\n', 4, "unknown interface `xpd`", "`xdp`?"),
        ('[[pair]]\nleft = "a.dev"\nright = "b.dev"\nexpect = "unknown"\n', 4, "`expect` is one of", "`allow_unknown`"),
        ('[[pair]]\nleft = "a.dev"\nright = "b.dev"\nobserve = ["m"]\n', 4, "`observe` is one of", "`observe_maps`"),
        ('[[pair]]\nleft = "a.dev"\nright = "b.dev"\ntimeout = 0\n', 4, "not a number of seconds", ""),
        ('[[pair]]\nleft = "a.dev"\nright = "b.dev"\ntimeout = nan\n', 4, "not a number of seconds", ""),
        ('[[pair]]\nleft = "a.dev"\nright = "b.dev"\ntimeout = 1e300\n', 4, "not a number of seconds", ""),
        ('[[pair]]\nleft = "a.dev"\nright = "b.dev"\nmemory = 1e3\n', 4, "not a whole number of megabytes", ""),
        ('[[pair]]\nleft = "a.dev"\nright = "b.dev"\nmemory = true\n', 4, "not a whole number of megabytes", ""),
        ('[[pair]]\nleft = "a.dev"\nright = "b.dev"\nallow_unknown = true\n', 4, "not a table", "reason"),
        ('[[pair]]\nleft = "a.dev"\nright = "b.dev"\nallow_unknown = {reason = " "}\n', 4, "without a reason", "until"),
        (
            '[[pair]]\nleft = "a.dev"\nright = "b.dev"\nallow_unknown = {reason = "x", until = "2030-01-01"}\n',
            4,
            "without a date",
            "until = 2",
        ),
        (
            '[[pair]]\nleft = "a.dev"\nright = "b.dev"\nallow_unknown = {reson = "x", until = 2030-01-01}\n',
            4,
            "unknown key `reson`",
            "`reason`?",
        ),
        ('[[pair]]\nleft = "a.dev"\nright = "b.dev"\nvalue_sets = "x"\n', 4, "NAME=FILE", ""),
        ('[[pair]]\nleft = "a.dev"\nright = ["b.dev", "a.dev"]\nname = "n"\n', 4, "`name` is for one pair", ""),
        ('title = "x"\n', 0, "it asks nothing", ""),
        ("", 0, "it asks nothing", ""),
        ("pair = 3\n", 1, "no [[pair]]", ""),
        ('outside = ["x"]\n[[pair]]\nleft = "a.dev"\nright = "b.dev"\n', 1, "no absolute path", ""),
        ('include = "*/none.toml"\n', 1, "matches no file", ""),
        ('include = "equiv.toml"\n', 1, "read twice", ""),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_line(
    tmp_path: Path, text: str, line: int, message: str, hint: str
) -> None:
    error = refused(tmp_path, text)
    assert message in error.message and hint in error.hint
    assert error.place is not None
    assert (error.place.file, error.place.line) == (str(tmp_path / "equiv.toml"), line)


def test_two_pairs_of_one_name_are_refused(tmp_path: Path) -> None:
    one = '[[pair]]\nleft = "a.dev"\nright = "b.dev"\n'
    error = refused(tmp_path, one + one)
    assert "is there twice" in error.message and "name" in error.hint
    assert error.place is not None and error.place.line == 4
    assert ids(read(tmp_path, one + one + 'name = "again"\n')) == ["a.dev=b.dev", "again"]


def test_what_only_the_first_manifest_may_say_is_refused_in_others(tmp_path: Path) -> None:
    write(tmp_path, 'outside = ["/etc/hostname"]\n[[pair]]\nleft = "a.dev"\nright = "b.dev"\n', "in/pair.toml")
    assert "`outside` is for the manifest that the gate is given" in refused(tmp_path, 'include = "in/*.toml"').message


@pytest.mark.parametrize("key", ["left", "btf", "snapshots", "outputs", "include"])
def test_files_outside_the_manifests_folder_need_a_permission(tmp_path: Path, key: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "secret.dev").touch()
    pair = '[[pair]]\nleft = "a.dev"\nright = "b.dev"\n'
    for path in ("../secret.dev", str(tmp_path / "secret.dev"), "./x/../../secret.dev", "/etc/passwd"):
        text = {
            "left": pair.replace('left = "a.dev"', f'left = "{path}"'),
            "include": f'include = "{path}"\n{pair}',
        }.get(key, f'{pair}{key} = "{path}"\n')
        error = refused(tmp_path / "sub", text)
        assert "leads out of the manifest's folder" in error.message and "outside = [" in error.hint
        if key != "include":
            allowed = f'outside = ["{os.path.normpath(tmp_path / "sub" / path)}"]\n'
            assert read(tmp_path / "sub", allowed + text).pairs


def test_a_link_out_of_the_folder_needs_one_too(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "secret.dev").touch()
    (tmp_path / "sub" / "link.dev").symlink_to("../secret.dev")
    (tmp_path / "sub" / "up").symlink_to("..")
    for path in ("link.dev", "up/secret.dev", "link*"):
        error = refused(tmp_path / "sub", f'[[pair]]\nleft = "{path}"\nright = "a.dev"\n')
        assert "leads out of the manifest's folder" in error.message


def test_no_file_can_be_mistaken_for_one_outside(tmp_path: Path) -> None:
    """In the folder of a check it would lie where the other one does (D151)."""
    inner = tmp_path / ".outside" / "etc"
    inner.mkdir(parents=True)
    (inner / "hostname").touch()
    error = refused(tmp_path, '[[pair]]\nleft = ".outside/etc/hostname"\nright = "a.dev"\n')
    assert "no folder of a gate is called .outside" in error.message


def test_loops_of_links_end(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "again").symlink_to("../x")
    (tmp_path / "x" / "self.dev").symlink_to("self.dev")
    (tmp_path / "x" / "deep.dev").touch()
    manifest = read(tmp_path, '[[pair]]\nleft = "**/deep.dev"\nright = "a.dev"\n')
    assert ids(manifest) == ["deep.dev=a.dev"]
    manifest = read(tmp_path, '[[pair]]\nleft = "x/self.dev"\nright = "a.dev"\n')
    assert ids(manifest) == ["self.dev=a.dev"]  # that it cannot be read is the pair's fault, not the manifest's


def test_whatever_can_be_asked_of_a_check_can_be_asked_in_a_manifest() -> None:
    asked = {each.name for each in fields(Question)} - {"btf_sha256"}
    assert asked - {each.name for each in fields(Options)} == set()


def test_every_option_of_check_is_in_the_manifest_or_says_how_to_check_and_report(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["check", "--help"]) == 0
    known = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    how = {"--help", "--verbose", "--json", "--pcap", "--certificate", "--all", "--timeout", "--jobs", "--seed"}
    shown = {"--explain", "--report", "--no-fuzz", "--one-process"}
    assert known - how - shown == set(FLAGS.values())
