"""Who may sign, and until when: what a policy allows, what was revoked, what is over."""

from __future__ import annotations

from tests.trust import world as w
from tests.trust.tampering.registry import refused
from tests.trust.world import ROOT, STRANGER, World


@refused("key-not-allowed")
def key_that_speaks_for_other_functions(world: World) -> None:
    w.write_policy(world, w.allowed(functions=("flow_*", "five_tuples")))


@refused("key-not-allowed")
def key_that_speaks_for_other_interfaces(world: World) -> None:
    w.write_policy(world, w.allowed(interfaces=("tc",)))


@refused("key-not-allowed")
def key_that_speaks_for_other_devices(world: World) -> None:
    w.write_policy(world, w.allowed(device={"vendor": "another"}))


@refused("key-not-allowed")
def key_that_may_no_longer_add(world: World) -> None:
    w.write_policy(world, w.allowed(may=frozenset({"revoke"})))


@refused("key-not-allowed")
def key_whose_time_is_over(world: World) -> None:
    w.write_policy(world, w.allowed(until=w.TIME))


@refused("unknown-key")
def key_that_the_policy_dropped(world: World) -> None:
    w.write_policy(world, w.allowed(STRANGER))


@refused("policy-expired")
def policy_whose_time_is_over(world: World) -> None:
    w.write_policy(world, until=w.TIME)


@refused("expired")
def entry_whose_time_is_over(world: World) -> None:
    w.write_entry(world, until=w.TIME)


@refused("expired")
def entry_of_tomorrow(world: World) -> None:
    world.resign(lambda entry: entry, time="2026-01-04T00:00:00Z")
    world.write()


@refused("revoked")
def entry_revoked_by_its_signer(world: World) -> None:
    world.append("revocation", {"entry": world.records[1].hash, "because": "a mistake was found"})
    world.write()


@refused("revoked")
def entry_revoked_by_the_root_key(world: World) -> None:
    world.append("revocation", {"entry": world.records[1].hash, "because": "a mistake was found"}, ROOT)
    world.write()


@refused("revoked")
def entry_revoked_that_was_there_twice(world: World) -> None:
    w.add(world, w.PROGRAM, w.TABLE, world.folder / "certificate")
    world.append("revocation", {"entry": world.records[2].hash, "because": "a mistake was found"})
    world.write()


@refused("revoked")
def entry_revoked_by_a_key_that_was_dropped_later(world: World) -> None:
    world.policy(w.policy(w.allowed(), w.allowed(STRANGER)))
    world.append("revocation", {"entry": world.records[1].hash, "because": "a mistake was found"}, STRANGER)
    world.policy(w.policy())
    world.write()
