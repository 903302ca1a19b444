"""`equiv trust` and the running kernel: what is loaded is trusted, and no longer once anything of it is another (D145).

Programs are loaded by libbpf where bpftool is there for that, others by hand with maps as an attacker would make them.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from equiv import cli
from equiv.bpf import insn as isa
from equiv.bpf.program import FunctionRef, Insn, MapRef, MapSpec, MapValueRef, Program
from equiv.oracle import VerifierRejected, available, inspect, syscall
from equiv.oracle.image import load, referenced_maps
from equiv.oracle.inspect import LoadedProgram
from equiv.oracle.maps import KernelMap
from equiv.oracle.types import BTF_LOAD
from equiv.trust.decide import Setting, Subject, decide
from equiv.trust.device import parse_report
from equiv.trust.log import read_log
from equiv.trust.reasons import Refused
from equiv.trust.tags import layout, loaded_code
from equiv.trust.twin import require_same
from tests.bpf.objects import BtfBuilder
from tests.bpf.programs import EXIT, call, copy, jump, ldx, mov, program, st
from tests.trust import world as w
from tests.trust.world import World

SKIPPED = "needs root and bpf(2)" if os.geteuid() or available() else None
pytestmark = [pytest.mark.kernel, pytest.mark.skipif(SKIPPED is not None, reason=str(SKIPPED))]

XDP, TC, SOCKET_FILTER = 6, 3, 1
CPU = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0

COUNTS = MapSpec("counts", 2, 4, 8, 4)
OTHER = MapSpec("other", 2, 4, 8, 4)
RODATA = MapSpec(".rodata", 2, 4, 8, 1, 1 << 7, initial=bytes(range(8)), frozen=True)
NEXT = MapSpec("next", 3, 4, 4, 2)
INNER = MapSpec("nest.inner", 2, 4, 8, 1)
NEST = MapSpec("nest", 12, 4, 4, 2, inner=INNER)


def lookup(name: str) -> list[Insn]:
    """r0 = the address of element 0 of the array, or 0."""
    return [
        st(isa.W, 10, -4, 0),
        copy(2, 10),
        Insn(isa.ALU64 | isa.ADD, 2, 0, 0, -4),
        Insn(isa.LD_IMM64, 1, isa.PSEUDO_MAP_FD, 0, 0, 0, MapRef(name)),
        call(1),
    ]


def rodata(offset: int) -> list[Insn]:
    """r6 = a byte of the read-only data that the verifier does not know, as it does not know the offset within it."""
    return [Insn(isa.LD_IMM64, 6, isa.PSEUDO_MAP_VALUE, 0, 0, 0, MapValueRef(".rodata", offset)), ldx(isa.B, 6, 6, 0)]


def of_maps(offset: int = 2, names: tuple[str, str] = ("counts", "other")) -> Program:
    """Looks both maps up, and returns a byte of the read-only data if they are there."""
    insns = [*rodata(offset), *lookup(names[0]), copy(7, 0), *lookup(names[1])]
    insns += [jump(isa.JEQ, 0, 2), jump(isa.JEQ, 7, 1), copy(0, 6), EXIT]
    return program(*insns[:-1], Insn(isa.ALU64 | isa.AND, 0, 0, 0, 3), EXIT, maps=[COUNTS, OTHER, RODATA])


class Kernel:
    """Loads a program with maps that a test may have changed; keeps all until the test ends."""

    def __init__(self, resources: ExitStack) -> None:
        self._resources = resources

    def map(self, spec: MapSpec) -> KernelMap:
        made = KernelMap.create(spec, "little", CPU)
        self._resources.callback(made.close)
        return made

    def run(
        self,
        given: Program,
        kind: int = XDP,
        maps: dict[str, KernelMap] | None = None,
        entry: int = 0,
        name: bytes = b"",
    ) -> LoadedProgram:
        held = {name: self.named(given.maps[name]) for name in referenced_maps(given) if name not in (maps or {})}
        held |= maps or {}
        code = loaded_code(given, entry, {name: each.descriptor for name, each in held.items()})
        assert code is not None
        descriptor = load(code, kind, "GPL", struct.pack("=II16s", 0, 0, name) if name else b"")
        self._resources.callback(os.close, descriptor)
        self.descriptor = descriptor
        return inspect.read_program(descriptor)

    def named(self, spec: MapSpec, name: str | None = None) -> KernelMap:
        """A map with a name, as libbpf makes them."""
        called = (spec.name if name is None else name).encode()[:15]
        flags = spec.flags
        inner = self.map(spec.inner).descriptor if spec.inner else 0
        attribute = struct.pack(
            "=IIIIIII16s",
            spec.type,
            spec.key_size,
            4 if inner else spec.value_size,
            spec.max_entries,
            flags,
            inner,
            0,
            called,
        )
        descriptor, _ = syscall.bpf(syscall.MAP_CREATE, attribute)
        made = KernelMap(spec, descriptor, "little", CPU)
        self._resources.callback(made.close)
        if spec.initial is not None:
            made._set(bytes(4), spec.initial)
            if spec.frozen:
                syscall.bpf(syscall.MAP_FREEZE, struct.pack("=I", descriptor))
        return made


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    with ExitStack() as resources:
        yield Kernel(resources)


def test_a_program_with_maps_as_in_its_object_is_the_same(kernel: Kernel) -> None:
    require_same(of_maps(), kernel.run(of_maps()), XDP)


SHAPES: dict[str, Callable[[MapSpec], MapSpec]] = {
    "entries": lambda spec: replace(spec, max_entries=spec.max_entries + 1),
    "value": lambda spec: replace(spec, value_size=16),
    "flags": lambda spec: replace(spec, flags=1 << 10),
    "type": lambda spec: replace(spec, type=6),
}


@pytest.mark.parametrize("what", SHAPES)
def test_map_of_another_shape_under_the_same_tag_is_refused(what: str, kernel: Kernel) -> None:
    other = kernel.named(SHAPES[what](COUNTS))
    running = kernel.run(of_maps(), maps={"counts": other})
    with pytest.raises(Refused, match=r"map counts is|made something else|instruction"):
        require_same(of_maps(), running, XDP)


def test_read_only_data_of_other_content_under_the_same_tag_is_refused(kernel: Kernel) -> None:
    other = kernel.named(replace(RODATA, initial=b"\xff" * 8))
    running = kernel.run(of_maps(), maps={".rodata": other})
    assert running.tag == kernel.run(of_maps()).tag
    with pytest.raises(Refused, match=r"read-only data|instruction"):
        require_same(of_maps(), running, XDP)


def test_read_only_data_that_can_still_be_changed_is_refused(kernel: Kernel) -> None:
    other = kernel.named(replace(RODATA, frozen=False))
    running = kernel.run(of_maps(), maps={".rodata": other})
    with pytest.raises(Refused, match=r"not frozen|instruction|made something else"):
        require_same(of_maps(), running, XDP)


def test_another_offset_in_read_only_data_under_the_same_tag_is_refused(kernel: Kernel) -> None:
    running = kernel.run(of_maps(offset=3))
    assert running.tag == kernel.run(of_maps()).tag
    with pytest.raises(Refused, match="instruction"):
        require_same(of_maps(), running, XDP)


def test_maps_that_changed_places_under_the_same_tag_are_refused(kernel: Kernel) -> None:
    running = kernel.run(of_maps(names=("other", "counts")))
    assert running.tag == kernel.run(of_maps()).tag
    with pytest.raises(Refused, match="stands where"):
        require_same(of_maps(), running, XDP)


def test_one_map_in_place_of_two_under_the_same_tag_is_refused(kernel: Kernel) -> None:
    running = kernel.run(of_maps(names=("counts", "counts")))
    assert running.tag == kernel.run(of_maps()).tag
    with pytest.raises(Refused, match="one map where the catalogued program uses two"):
        require_same(of_maps(), running, XDP)


def test_two_maps_in_place_of_one_under_the_same_tag_are_refused(kernel: Kernel) -> None:
    running = kernel.run(of_maps())
    with pytest.raises(Refused, match="two maps where the catalogued program uses one"):
        require_same(of_maps(names=("counts", "counts")), running, XDP)


def test_program_of_another_type_is_of_the_wrong_interface(kernel: Kernel) -> None:
    running = kernel.run(of_maps(), TC)
    with pytest.raises(Refused) as refused:
        require_same(of_maps(), running, XDP)
    assert refused.value.reason == "wrong-interface"


def test_another_instruction_is_refused_by_its_tag(kernel: Kernel) -> None:
    changed = program(mov(0, 1), EXIT)
    with pytest.raises(Refused, match="another tag"):
        require_same(program(mov(0, 2), EXIT), kernel.run(changed), XDP)


# --- functions that somebody replaces --------------------------------------------------------------------------------

RAW_TRACEPOINT_OPEN = 17


def _types() -> tuple[int, tuple[int, int]]:
    """Types of two global functions that take nothing and return a number: a descriptor, and their numbers."""
    btf = BtfBuilder()
    number = btf.raw(1, "int", 4, words=[1 << 24 | 32])
    kind = btf.raw(13, "", number)
    functions = btf.raw(12, "first", kind, 1), btf.raw(12, "second", kind, 1)
    data = btf.build()
    held = ctypes.create_string_buffer(data, len(data))
    descriptor, _ = syscall.bpf(BTF_LOAD, struct.pack("=QQIII", ctypes.addressof(held), 0, len(data), 0, 0))
    return descriptor, functions


def _typed(types: int, functions: list[tuple[int, int]], keep: list[Any]) -> bytes:
    """What follows in the attribute of BPF_PROG_LOAD: the functions' first slots and types."""
    infos = b"".join(struct.pack("=II", *each) for each in functions)
    keep.append(ctypes.create_string_buffer(infos, len(infos)))
    return struct.pack("=II16xIIIIQI", 0, 0, 0, 0, types, 8, ctypes.addressof(keep[-1]), len(functions))


def test_a_program_of_which_somebody_replaces_a_function_is_refused(kernel: Kernel) -> None:
    call_second = Insn(isa.JMP | isa.CALL, 0, isa.PSEUDO_CALL, 0, 1, 0, FunctionRef(2, "second"))
    given = program(call_second, EXIT, mov(0, 2), EXIT, functions={0: "first", 2: "second"})
    code, keep = loaded_code(given), []
    assert code is not None
    with ExitStack() as resources:
        types, (first, second) = _types()
        resources.callback(os.close, types)
        target = load(code, XDP, "GPL", _typed(types, [(0, first), (2, second)], keep))
        resources.callback(os.close, target)
        running = inspect.read_program(target)
        require_same(given, running, XDP)
        replacement = loaded_code(program(mov(0, 1), EXIT))
        assert replacement is not None
        more = _typed(types, [(0, second)], keep) + struct.pack("=IQIII", 0, 0, 0, second, target)
        try:
            extension = load(replacement, inspect.EXTENSION, "GPL", more)
        except VerifierRejected as error:
            pytest.skip(f"this kernel loads no extensions: {error.message}")
        resources.callback(os.close, extension)
        require_same(given, running, XDP)  # loaded, but not attached yet
        link, _ = syscall.bpf(RAW_TRACEPOINT_OPEN, struct.pack("=QI", 0, extension))
        resources.callback(os.close, link)
        with pytest.raises(Refused, match="replaces one of its functions"):
            require_same(given, running, XDP)


def test_a_program_that_is_said_to_be_extended_is_refused(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    given = program(mov(0, 2), EXIT)
    running = kernel.run(given)
    monkeypatch.setattr(inspect, "extensions_of", lambda number: [77] if number == running.id else [])
    with pytest.raises(Refused, match="program 77 replaces one of its functions"):
        require_same(given, running, XDP)


# --- tail calls and maps of maps ------------------------------------------------------------------------------------


def _tail() -> Program:
    """Tail-calls what `next` holds at 1: the function at slot 6, which returns 2."""
    insns = [Insn(isa.LD_IMM64, 2, isa.PSEUDO_MAP_FD, 0, 0, 0, MapRef("next")), mov(3, 1), call(12), mov(0, 1), EXIT]
    return program(
        *insns, mov(0, 2), EXIT, maps=[NEXT], functions={0: "first", 6: "second"}, tail_calls={"next": {1: 6}}
    )


def _running_tail(kernel: Kernel, held: dict[int, Program | int]) -> LoadedProgram:
    array = kernel.named(NEXT)
    running = kernel.run(_tail(), maps={"next": array})
    for index, each in held.items():
        if isinstance(each, int):
            kernel.run(_tail(), maps={"next": array}, entry=each)
        else:
            kernel.run(each)
        array.set_descriptor(index, kernel.descriptor)
    return running


def test_program_array_that_holds_what_the_object_says_is_the_same(kernel: Kernel) -> None:
    assert list(layout(_tail(), 6)) == [6]
    require_same(_tail(), _running_tail(kernel, {1: 6}), XDP)


@pytest.mark.parametrize(
    "held",
    [{}, {0: 6}, {0: 6, 1: 6}, {1: program(mov(0, 1), EXIT)}, {1: 0}],
    ids=["nothing", "elsewhere", "more", "another program", "the first program"],
)
def test_program_array_that_holds_something_else_is_refused(held: dict[int, Any], kernel: Kernel) -> None:
    with pytest.raises(Refused, match=r"program array|another tag|one program"):
        require_same(_tail(), _running_tail(kernel, held), XDP)


def _nest() -> Program:
    return program(*lookup("nest"), mov(0, 2), EXIT, maps=[NEST])


def test_map_of_maps_shows_its_shape_by_what_it_holds(kernel: Kernel) -> None:
    outer = kernel.named(NEST)
    running = kernel.run(_nest(), maps={"nest": outer})
    with pytest.raises(Refused, match="holds 0 maps"):
        require_same(_nest(), running, XDP)
    outer.set_descriptor(0, kernel.map(INNER).descriptor)
    require_same(_nest(), running, XDP)
    other = replace(_nest(), maps={"nest": replace(NEST, inner=replace(INNER, value_size=16))})
    with pytest.raises(Refused, match=r"nest\[\] is"):
        require_same(other, running, XDP)


# --- from end to end ------------------------------------------------------------------------------------------------


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
