"""Inputs by which an operator changes an engine that runs: keys, settings, references, instances that come and go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ptpstack.engine.effects import EngineEffect
from ptpstack.engine.membership import Membership
from ptpstack.engine.plan import instance_from_dict
from ptpstack.protocol.management.storage import Entry
from ptpstack.protocol.security import Mac, association_from_dict


class Changes(Membership):
    def use_mac(self, mac: Mac) -> None:
        """Who computes with the keys of ``secure``. No input: a trace holds what was computed, and no key."""
        self.security.mac = mac

    def secure(self, associations: Sequence[Mapping[str, Any]], now: int) -> list[EngineEffect]:
        """The security associations from now on (``security.association_as_dict``); ``use_mac`` knows their keys."""
        new = [association_from_dict(data) for data in associations]
        self.security.associations = {association.spp: association for association in new}
        self.event("keys", "", 0, {"associations": [{"spp": a.spp, "keys": list(a.keys)} for a in new]})
        return self._drain()

    def configure(self, instance: str, settings: Mapping[str, Any], now: int) -> list[EngineEffect]:
        """Other settings of an instance and its ports from now on (protocol/live.py): no servo notices.

        KeyError for an unknown instance; ValueError, and nothing changed, for what cannot be changed while running.
        """
        self.take(instance, self.instances[instance].configure(settings, now), now)
        self.short_cuts.refresh()
        self.event("configured", instance, 0, dict(settings))
        return self._drain()

    def add_instance(self, plan: Mapping[str, Any], after: Sequence[str], now: int) -> list[EngineEffect]:
        """An instance (``plan.instance_as_dict``) that comes while others run; ``after``: who comes later in steering.

        ValueError, and nothing changed, when it cannot come in.
        """
        made = instance_from_dict(plan)
        self.admit(made, after, now)
        self.short_cuts.refresh()
        self.event("instance-added", made.options.name, 0, {})
        return self._drain()

    def remove_instance(self, instance: str, now: int) -> list[EngineEffect]:
        """KeyError for an unknown instance; ValueError, and nothing changed, when it cannot go."""
        self.dismiss(instance, now)
        self.short_cuts.refresh()
        self.event("instance-removed", instance, 0, {})
        return self._drain()

    def declare_reference(
        self, clock: str, state: str, clock_class: int | None, now: int, accuracy: int | None = None
    ) -> list[EngineEffect]:
        """The operator (or a lab, or the kernel for its own clock) says how the reference is; ``accuracy``: its
        clockAccuracy from now on. ValueError for an unknown state, KeyError for a clock.
        """
        self.on_references.declare(clock, state, clock_class, now, accuracy)
        return self._drain()

    def set_priorities(
        self, instance: str, now: int, priority1: int | None, priority2: int | None
    ) -> list[EngineEffect]:
        self.take(instance, self.instances[instance].set_priorities(now, priority1, priority2), now)
        return self._drain()

    def restore(self, instance: str, entries: Sequence[Sequence[Any]], now: int) -> list[EngineEffect]:
        """What a ``KeepSettings`` of an earlier life said. After ``start``. KeyError, TypeError or ValueError for what
        none can have said.
        """
        kept = [Entry(a, i, port, bytes.fromhex(data), *rest) for a, i, port, data, *rest in entries]
        effects, problems = self.instances[instance].restore(kept, now)
        self.take(instance, effects, now)
        for problem in problems:
            self.event("settings", instance, 0, {"reason": problem})
        return self._drain()
