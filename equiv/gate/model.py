"""What a manifest says: inert data, checked when it was read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from typing import Literal

from equiv.errors import Place

Expected = Literal["equivalent", "different"]

ITSELF = "itself"
"""What stands for the right side in the name of a file compared with itself."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of a pair beside its two sides: the options of `equiv check`, as texts.

    Paths are relative to the gate's folder. `outputs` is a file, `output` are lines of one.
    """

    interface: str | None = None
    observe_maps: tuple[str, ...] = ()
    tail_calls: tuple[str, ...] = ()
    snapshots: tuple[str, ...] = ()
    observe: str | None = None
    exact_end: bool = False
    relation: str | None = None
    assume: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    outputs: str | None = None
    output: tuple[str, ...] = ()
    value_sets: tuple[str, ...] = ()
    right_linear: bool = False
    btf: str | None = None
    solver: str | None = None
    kernel: bool = True

    def arguments(self) -> list[str]:
        """The same as arguments of `equiv check`."""
        said: list[str] = []
        for each in fields(self):
            value = getattr(self, each.name)
            name = FLAGS[each.name]
            match value:
                case None | ():
                    pass
                case bool():
                    said += [name] if value is not each.default else []
                case str():
                    said.append(f"{name}={value}")
                case _:
                    said += [f"{name}={item}" for item in value]
        return said


FLAGS = {
    **{each.name: f"--{each.name.replace('_', '-')}" for each in fields(Options)},
    "observe_maps": "--observe-map",
    "tail_calls": "--tail-call",
    "snapshots": "--map-snapshot",
    "value_sets": "--value-set",
    "kernel": "--no-kernel",
}
"""The option of `equiv check` by the name of the field."""


def moved(options: Options, to: Callable[[str], str]) -> Options:
    """The options with each file that they name called `to(path)`."""

    def value(text: str) -> str:
        name, equals, path = text.partition("=")
        return f"{name}{equals}{to(path)}" if equals else to(text)

    relation = options.relation
    if relation is not None and (indexed := INDEXED.fullmatch(relation)):
        relation = f"{to(indexed[1])}{indexed[2]}"
    return replace(
        options,
        snapshots=tuple(map(value, options.snapshots)),
        value_sets=tuple(map(value, options.value_sets)),
        relation=relation,
        outputs=options.outputs and to(options.outputs),
        btf=options.btf and to(options.btf),
    )


INDEXED = re.compile(r"(.+\.json)(#.+)")
"""A relation that a file states, an index of automata: `FILE.json#ID`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one pair may take: `timeout` in seconds of proof, `memory` in 10⁶ bytes of the whole process."""

    timeout: float = 60.0
    memory: int = 4000


@dataclass(frozen=True, slots=True)
class Allowance:
    """`unknown` passes, because of `reason`, through the day `until` (UTC)."""

    reason: str
    until: date


@dataclass(frozen=True, slots=True)
class Pair:
    """One check that the gate makes.

    `id` is unique. `left` and `right` are what `equiv check` takes, relative to the gate's folder; without a right
    side a property is asked of the left one. `bug` is what is wrong with a broken twin, in words. `place` is where the
    manifest says so; `manifests` are the files on the way there, the one that the gate is given first, relative to its
    folder.
    """

    id: str
    left: str
    right: str | None
    expected: Expected = "equivalent"
    options: Options = field(default_factory=Options)
    limits: Limits = field(default_factory=Limits)
    allowance: Allowance | None = None
    bug: str = ""
    manifests: tuple[str, ...] = ()
    place: Place | None = None

    @property
    def manifest(self) -> str:
        """The file that it stands in."""
        return self.manifests[-1] if self.manifests else ""

    @property
    def with_itself(self) -> bool:
        return self.left == self.right

    def itself(self, side: str, id_: str) -> Pair:
        """The check of one of the sides against itself, under the same interface, with the same map contents."""
        kept = self.options
        options = Options(
            interface=kept.interface,
            tail_calls=kept.tail_calls,
            snapshots=kept.snapshots,
            btf=kept.btf,
            solver=kept.solver,
            kernel=kept.kernel,
        )
        return replace(
            self, id=id_, left=side, right=side, expected="equivalent", options=options, allowance=None, bug=""
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """All pairs of a manifest and of those that it includes.

    `folder` is the gate's: that of the manifest named to it. `outside` are absolute paths of files beyond it that
    pairs may name, `triggers` are patterns of files that every pair depends on.
    """

    folder: str
    file: str
    title: str
    pairs: tuple[Pair, ...]
    outside: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)
    """By manifest file that was read, relative to `folder`, its title."""
