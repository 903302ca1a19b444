"""Who may say what: the policy of a catalogue, signed by its root key, which is known from elsewhere (D143)."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from equiv.trust import strict
from equiv.trust.keys import PUBLIC_SIZE, fingerprint
from equiv.trust.strict import Json, Malformed

SCHEMA = "equiv-policy/1"
Right = Literal["add", "revoke"]
RIGHTS: frozenset[Right] = frozenset({"add", "revoke"})
NAME = r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,63}"
"""Functions and interfaces. No `/` and no leading dot, so that a name is never a path."""
PATTERN = r"[A-Za-z0-9_.\-*?]{1,64}"


@dataclass(frozen=True, slots=True)
class Key:
    """A key that may sign: for functions and interfaces that match one of these patterns, for devices that are like
    `device` in what that says, until then (None: no end).
    """

    public: str
    title: str
    functions: tuple[str, ...]
    interfaces: tuple[str, ...]
    device: Mapping[str, str]
    may: frozenset[Right]
    until: str | None

    def forbids(self, function: str, interface: str, device: Mapping[str, str]) -> str:
        """Why this key does not speak for such an entry; "" if it does."""
        if not any(fnmatch.fnmatchcase(function, pattern) for pattern in self.functions):
            return f"function {function}"
        if not any(fnmatch.fnmatchcase(interface, pattern) for pattern in self.interfaces):
            return f"interface {interface}"
        for name, value in self.device.items():
            if device.get(name) != value:
                return f"devices whose {name} is not {value!r}"
        return ""


@dataclass(frozen=True, slots=True)
class Policy:
    """`affirms` are assumptions that hold wherever the catalogue is used. `until`: nothing is trusted after that."""

    keys: Mapping[str, Key] = field(default_factory=dict)
    affirms: tuple[str, ...] = ()
    until: str | None = None


def read_policy(data: Any) -> Policy:
    """A policy from what an administrator wrote, or from a record. Raises Malformed."""
    data = strict.fields(data, "the policy", {"schema", "keys"}, {"affirms", "until"})
    if data["schema"] != SCHEMA:
        raise Malformed(f"the policy's schema is not {SCHEMA}")
    keys = strict.items(data["keys"], "keys", _key, 1000)
    by_name = {fingerprint(key.public): key for key in keys}
    if len(by_name) != len(keys):
        raise Malformed("a key stands in the policy twice")
    return Policy(by_name, strict.texts(data.get("affirms", []), "affirms"), read_until(data, "the policy"))


def policy_data(policy: Policy) -> Json:
    """As `read_policy` reads it."""
    return {
        "schema": SCHEMA,
        "keys": [
            {
                "public": key.public,
                "title": key.title,
                "functions": list(key.functions),
                "interfaces": list(key.interfaces),
                "device": dict(key.device),
                "may": sorted(key.may),
                "until": key.until,
            }
            for key in policy.keys.values()
        ],
        "affirms": list(policy.affirms),
        "until": policy.until,
    }


def _key(data: Any, what: str) -> Key:
    data = strict.fields(data, what, {"public", "functions", "interfaces", "may"}, {"title", "device", "until"})
    may = frozenset(strict.texts(data["may"], f"{what}.may", 2))
    if not may or not may <= RIGHTS:
        raise Malformed(f"{what}.may is not add, revoke or both")
    return Key(
        strict.hexadecimal(data["public"], f"{what}.public", PUBLIC_SIZE),
        strict.text(data.get("title", ""), f"{what}.title", longest=128),
        strict.items(data["functions"], f"{what}.functions", _pattern, 256),
        strict.items(data["interfaces"], f"{what}.interfaces", _pattern, 256),
        strict.mapping(data.get("device", {}), f"{what}.device"),
        may,  # type: ignore[arg-type]
        read_until(data, what),
    )


def _pattern(data: Any, what: str) -> str:
    return strict.text(data, what, PATTERN)


# --- time ----------------------------------------------------------------------------------------------------------

TIME = "%Y-%m-%dT%H:%M:%SZ"


def now() -> str:
    """The time in UTC, by the second. Later times are greater texts."""
    return datetime.now(UTC).strftime(TIME)


def read_time(data: Any, what: str) -> str:
    """A time as `now` gives it. Raises Malformed."""
    found = strict.text(data, what, r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
    try:
        datetime.strptime(found, TIME)
    except ValueError:
        raise Malformed(f"{what} is no time: {found}") from None
    return found


def read_until(data: Json, what: str) -> str | None:
    """The field `until`: a time, or no end. Raises Malformed."""
    found = data.get("until")
    return None if found is None else read_time(found, f"{what}.until")


def is_over(until: str | None, time: str) -> bool:
    return until is not None and until < time
