"""`equiv trust` and the running kernel, from end to end (D145).

Programs are loaded by libbpf where bpftool is there for that, others by hand.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from equiv import cli
from equiv.bpf import insn as isa
from equiv.oracle import inspect
from equiv.oracle.image import referenced_maps
from equiv.oracle.inspect import LoadedProgram
from equiv.trust.decide import Setting, Subject, decide
from equiv.trust.device import parse_report
from equiv.trust.log import read_log
from equiv.trust.reasons import Refused
from tests.bpf.programs import EXIT, mov, program
from tests.trust import world as w
from tests.trust.on_kernel import MISSING, SOCKET_FILTER, TC, Kernel
from tests.trust.world import World

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two pairs: one program alone, and one that tail-calls others."""
    world = w.made(tmp_path_factory.mktemp("world"))
    pair = w.CORPORA / "tail-parser"
    names = pair / "tail-parser.bpf.o", pair / "tail-parser.dev"
    first = world.report
    entry = w.add(world, *names, w.certificate_for(world.folder, *names), "tail_parser", source=None)
    world.report["tables"] += first["tables"]
    world.report["affirms"] += first["affirms"]
    world.affirmed |= {text for text in entry.assumptions if text not in (w.VERIFIED,)}
    return world


@pytest.fixture
def world(original: World, tmp_path: Path) -> World:
    return w.copied(original, tmp_path / "copy")


def _reason(world: World, running: LoadedProgram) -> str:
    """As a hook would be told, without anybody affirming what the decision sees to itself."""
    log = read_log(str(world.catalogue), world.root)
    report = parse_report(json.dumps(world.report).encode(), w.equiv.errors.Place("report"))
    affirmed = frozenset(world.affirmed - {w.VERIFIED})
    answer = decide(Subject("x", running), Setting(log, report, affirmed, world.time))
    return answer.reason or ""


def _five_tuple(kernel: Kernel, **changes: Any) -> LoadedProgram:
    given = w.equiv.load(str(w.PROGRAM)).program
    assert given is not None
    return kernel.run(replace(given, **changes))


def test_a_loaded_program_is_trusted(world: World, kernel: Kernel) -> None:
    assert _reason(world, _five_tuple(kernel)) == ""


def test_programs_that_tail_call_each_other_are_trusted_while_the_array_is_as_in_the_object(
    world: World, kernel: Kernel
) -> None:
    given = w.equiv.load(str(w.CORPORA / "tail-parser" / "tail-parser.bpf.o")).program
    assert given is not None
    ((name, held),) = given.tail_calls.items()
    maps = {each: kernel.named(given.maps[each]) for each in referenced_maps(given)}
    running = kernel.run(given, TC, maps)
    for index, slot in held.items():
        kernel.run(given, TC, maps, slot)
        maps[name].set_descriptor(index, kernel.descriptor)
    assert _reason(world, running) == ""
    kernel.run(program(mov(0, 0), EXIT), TC)
    maps[name].set_descriptor(next(iter(held)), kernel.descriptor)
    assert _reason(world, running) == "kernel-differs"


def test_one_instruction_of_a_loaded_program(world: World, kernel: Kernel) -> None:
    given = w.equiv.load(str(w.PROGRAM)).program
    assert given is not None
    insns = list(given.insns)
    slot, insn = next((at, i) for at, i in enumerate(insns) if i is not None and isa.is_conditional(i) and i.imm)
    insns[slot] = replace(insn, imm=insn.imm ^ 1)
    changed = replace(given, insns=tuple(insns))
    assert _reason(world, kernel.run(changed)) == "no-entry"
    assert _reason(world, kernel.run(changed, name=b"five_tuple")) == "hash-differs"


def test_loaded_for_another_hook(world: World, kernel: Kernel) -> None:
    changed = program(mov(0, 2), EXIT)
    running = kernel.run(changed, SOCKET_FILTER)
    entry = world.entry
    tag = replace(entry.program.tag, sha256=running.tag) if entry.program.tag else None
    world.records = world.records[:2]
    world.resign(lambda e: replace(e, program=replace(e.program, tag=tag)))
    world.write()
    assert _reason(world, running) == "wrong-interface"


def test_an_entry_with_the_tag_of_another_program_does_not_help_it(world: World, kernel: Kernel) -> None:
    running = kernel.run(program(mov(0, 2), EXIT))
    entry = world.entry
    tag = replace(entry.program.tag, sha256=running.tag) if entry.program.tag else None
    world.records = world.records[:2]
    world.resign(lambda e: replace(e, program=replace(e.program, tag=tag)))
    world.write()
    assert _reason(world, running) == "kernel-differs"


def test_the_command_tells_a_hook_by_its_status(
    world: World, kernel: Kernel, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("equiv.trust.policy.now", lambda: world.time)
    running = _five_tuple(kernel)
    report = world.folder / "report.json"
    report.write_text(json.dumps(world.report))
    command = ["trust", "--kernel", "running", "--select", str(running.id), "--device", str(report)]
    command += ["--catalogue", str(world.catalogue), "--root", world.root, "--affirm", w.PACKETS]
    assert cli.main(command) == 0
    assert capsys.readouterr().out.startswith("trusted")
    world.report["tables"] = []
    report.write_text(json.dumps(world.report))
    assert cli.main(command) == 1
    assert "table-differs" in capsys.readouterr().out
    assert cli.main([*command, "--select", "no such program"]) == 2


CLANG = next((found for name in ("clang", "clang-16", "clang-19") if (found := shutil.which(name))), None)
BPFTOOL = shutil.which("bpftool") or "/usr/sbin/bpftool"


@pytest.mark.skipif(CLANG is None, reason="needs clang")
@pytest.mark.skipif(not Path(BPFTOOL).exists() or not Path("/sys/fs/bpf").is_mount(), reason="needs bpftool")
def test_two_builds_of_one_source_are_each_trusted_by_their_own_entry(tmp_path: Path) -> None:
    world = w.World(tmp_path / "world", [], {}, w.PROGRAM)
    world.folder.mkdir()
    world.policy(w.policy(), time=w.BEFORE)
    world.write()
    with ExitStack() as resources:
        running = []
        for level in ("-O1", "-O2"):
            built = tmp_path / f"five-tuple{level}.bpf.o"
            include = ["-I", f"/usr/include/{platform.machine()}-linux-gnu"]
            command = [str(CLANG), level, "-g", "-target", "bpf", *include, "-c", str(w.SOURCE), "-o", str(built)]
            if subprocess.run(command, check=False).returncode:
                pytest.skip("this clang does not compile the corpora")
            w.add(world, built, w.TABLE, w.certificate_for(world.folder, built, w.TABLE))
            pin = Path(f"/sys/fs/bpf/equiv-builds-{os.getpid()}{level}")
            subprocess.run([BPFTOOL, "prog", "load", str(built), str(pin)], check=True)
            resources.callback(pin.unlink)
            shown = subprocess.run([BPFTOOL, "-j", "prog", "show", "pinned", str(pin)], capture_output=True, check=True)
            with inspect.held(inspect.PROG_GET_FD_BY_ID, json.loads(shown.stdout)["id"]) as descriptor:
                running.append(inspect.read_program(descriptor))
        assert running[0].tag != running[1].tag
        assert [_reason(world, each) for each in running] == ["", ""]
        del world.records[2]
        world.write()
        assert [_reason(world, each) for each in running] == ["", "hash-differs"]


VMLINUX = Path("/sys/kernel/btf/vmlinux")
CORE = """
struct net_device { int ifindex; } __attribute__((preserve_access_index));
char terms[] __attribute__((section("license"), used)) = "GPL";
__attribute__((section("xdp"), used)) int core(void *context)
{
    return __builtin_preserve_field_info(((struct net_device *)0)->ifindex, 2) ? 2 : 1;
}
"""


@pytest.mark.skipif(CLANG is None, reason="needs clang")
@pytest.mark.skipif(not Path(BPFTOOL).exists() or not Path("/sys/fs/bpf").is_mount(), reason="needs bpftool")
@pytest.mark.skipif(not VMLINUX.exists(), reason="this kernel does not tell its types")
def test_a_program_that_was_proved_for_this_kernel_s_types_is_trusted(tmp_path: Path) -> None:
    (tmp_path / "core.bpf.c").write_text(CORE)
    (tmp_path / "core.dev").write_text("interface xdp; state start { transition accept; }")
    built, table = tmp_path / "core.bpf.o", tmp_path / "core.dev"
    command = [str(CLANG), "-O2", "-g", "-target", "bpf", "-c", "core.bpf.c", "-o", str(built)]
    subprocess.run(command, cwd=tmp_path, check=True)
    world = w.World(tmp_path / "world", [], {}, built)
    world.folder.mkdir()
    world.policy(w.policy(), time=w.BEFORE)
    world.write()
    path = w.certificate_for(world.folder, built, table, btf=str(VMLINUX))
    with pytest.raises(Refused, match="not at hand"):
        w.add(world, built, table, path, "core")
    entry = w.add(world, built, table, path, "core", btf=str(VMLINUX))
    pin = Path(f"/sys/fs/bpf/equiv-core-{os.getpid()}")
    subprocess.run([BPFTOOL, "prog", "load", str(built), str(pin)], check=True)
    try:
        shown = subprocess.run([BPFTOOL, "-j", "prog", "show", "pinned", str(pin)], capture_output=True, check=True)
        with inspect.held(inspect.PROG_GET_FD_BY_ID, json.loads(shown.stdout)["id"]) as descriptor:
            running = inspect.read_program(descriptor)
        assert _reason(world, running) == "assumption-not-met"
        world.affirmed |= {text for text in entry.assumptions if "types" in text}
        assert _reason(world, running) == ""
        world.object(hashlib.sha256(VMLINUX.read_bytes()).hexdigest()).unlink()
        assert _reason(world, running) == "object-missing"
    finally:
        pin.unlink()
