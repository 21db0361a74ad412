"""Inputs by which an operator changes an engine that runs: keys, settings, instances that come and go."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from ptpstack.engine.effects import EngineEffect
from ptpstack.engine.membership import Membership
from ptpstack.engine.plan import instance_from_dict
from ptpstack.protocol.options import InstanceOptions
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
        self._refresh_plains(self.instances[instance].options)
        self.event("configured", instance, 0, dict(settings))
        return self._drain()

    def add_instance(self, plan: Mapping[str, Any], after: Sequence[str], now: int) -> list[EngineEffect]:
        """An instance (``plan.instance_as_dict``) that comes while others run; ``after``: who comes later in steering.

        ValueError, and nothing changed, when it cannot come in.
        """
        made = instance_from_dict(plan)
        self.admit(made, after, now)
        self._refresh_plains(made.options)
        self.event("instance-added", made.options.name, 0, {})
        return self._drain()

    def remove_instance(self, instance: str, now: int) -> list[EngineEffect]:
        """KeyError for an unknown instance; ValueError, and nothing changed, when it cannot go."""
        options = self.instances[instance].options
        self.dismiss(instance, now)
        self._refresh_plains(options)
        self.event("instance-removed", instance, 0, {})
        return self._drain()

    def _refresh_plains(self, options: InstanceOptions) -> None:
        """The short cuts of its channels."""
        for port in options.ports:
            self.refresh_plain(port.channel)

    @abstractmethod
    def refresh_plain(self, channel: str) -> None:
        """Who answers plain requests on a channel may be others now."""

    @abstractmethod
    def _drain(self) -> list[EngineEffect]: ...
