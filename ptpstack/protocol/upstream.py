"""Whom an instance follows, as its data sets say it, and whether what comes from there is good as yet.

1. parentDS, timePropertiesDS and currentDS change together, and here only.
2. synchronizationUncertain (8.2.2.5) is the parent's doubt, or our own while the servo has not locked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.protocol.announce import propagated_tlvs, time_properties
from ptpstack.protocol.decision import Decision
from ptpstack.protocol.effects import ParentChanged
from ptpstack.protocol.states import PortEvent
from ptpstack.wire.messages import Announce
from ptpstack.wire.types import Flag, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.instance import Instance

#: How long a boundary clock that has never been locked keeps its time to itself when it begins to follow.
WITHHOLD_NS = 30_000_000_000


class Upstream:
    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._uncertain = True
        #: the servo has been locked to a master since the start
        self._ever_locked = False
        self._followed_ns = 0

    def become_grandmaster(self, decision: Decision) -> None:
        """Table 30 (M1, M2): nobody is followed, or nobody any longer."""
        instance = self._instance
        old = instance.data.parent.parent_port_identity
        instance.data.become_grandmaster()
        for option in instance.announce_options:
            option.grandmaster()
        self._uncertain = True
        if old.port_number != 0:
            new = instance.data.parent.parent_port_identity
            instance.emit(ParentChanged(old, new, instance.clock_identity, decision))

    def follow(
        self, announce: Announce, address: str, now: int, decision: Decision | None = None, *, anew: bool = False
    ) -> None:
        """Table 33 (S1), also for every newer Announce of the current parent (9.5.3).

        ``anew``: a port begins to follow. Then the path is another, even to the same parent, and the servo must hear of
        it: it would go on calling itself locked and the port would wait for that word in UNCALIBRATED for ever.
        """
        instance, data = self._instance, self._instance.data
        parent = data.parent
        old = parent.parent_port_identity
        if not instance.has_parent:
            self._followed_ns = now
        parent.parent_port_identity = announce.source
        parent.grandmaster_identity = announce.grandmaster
        parent.grandmaster_quality = announce.quality
        parent.grandmaster_priority1 = announce.priority1
        parent.grandmaster_priority2 = announce.priority2
        parent.protocol_address = address
        parent.synchronization_uncertain = bool(announce.flags & Flag.SYNCHRONIZATION_UNCERTAIN)
        parent.propagated_tlvs = propagated_tlvs(announce)
        for option in instance.announce_options:
            option.followed(announce)
        data.current.steps_removed = announce.steps_removed + 1
        data.time_properties = time_properties(announce)
        if anew or old != announce.source:
            self._uncertain = True
            instance.emit(ParentChanged(old, announce.source, announce.grandmaster, decision))
        self._refresh_uncertain()

    def servo_says(self, locked: bool, now: int, reason: str) -> None:
        """MASTER_CLOCK_SELECTED or SYNCHRONIZATION_FAULT for the following port."""
        self._uncertain = not locked
        self._ever_locked = self._ever_locked or locked
        for port in self._instance.ports:
            if locked and port.state is PortState.UNCALIBRATED:
                port.event(PortEvent.MASTER_CLOCK_SELECTED, now, Decision("servo-locked", reason))
            elif not locked and port.state is PortState.SLAVE:
                port.event(PortEvent.SYNCHRONIZATION_FAULT, now, Decision("servo-unlocked", reason))
        self._refresh_uncertain()

    @property
    def locked(self) -> bool:
        """The servo's word."""
        return not self._uncertain

    def withholds_sync(self, now: int) -> bool:
        """Whether our time is not to be handed on yet: we have just begun to follow, and have never been right before.

        Who followed us now would have to follow our first step, too. Not for long: a bad time with its doubts announced
        (synchronizationUncertain) is better than none.
        """
        return self._instance.has_parent and not self._ever_locked and now - self._followed_ns < WITHHOLD_NS

    def _refresh_uncertain(self) -> None:
        instance, data = self._instance, self._instance.data
        following = instance.has_parent or instance.following_port is not None
        data.current.synchronization_uncertain = following and (
            # a relay of IEEE 802.1AS hands on what it is given, whatever its own servo thinks
            data.parent.synchronization_uncertain or (self._uncertain and not instance.relays)
        )
