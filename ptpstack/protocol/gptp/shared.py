"""What the ports of one instance of IEEE 802.1AS share: the newest Sync of the parent, and our own time base."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ptpstack.wire.types import PortIdentity

if TYPE_CHECKING:
    from ptpstack.protocol.gptp.local_clock import LocalClock
    from ptpstack.wire.tlvs.ieee802_1as import FollowUpInformation


class Heard(NamedTuple):
    """MDSyncReceive: the newest Sync of the parent, and what belongs to it at the moment it left the neighbour."""

    parent: PortIdentity
    origin_ns: int
    #: with the delay of the link
    correction_sns: int
    #: of its arrival: as the clock of the port had it, which clock that is, and when that was by itself
    ingress_sns: int
    clock: LocalClock
    free_sns: int
    #: grandmaster's seconds in one of our own
    rate_ratio: float
    log_interval: int
    information: FollowUpInformation
    #: until when it may be handed on, ns
    until_ns: int


class Relay:
    """Of one instance: what its ports share."""

    def __init__(self) -> None:
        self._heard: Heard | None = None
        #: number of a port -> what it does when a Sync has come
        self.outlets: dict[int, Callable[[Heard, int], None]] = {}

    def took(self, number: int, heard: Heard, now: int) -> None:
        """A Sync has come in by port ``number``."""
        self._heard = heard
        for other, outlet in self.outlets.items():
            if other != number:
                outlet(heard, now)

    def newest(self, parent: PortIdentity, now: int | None = None) -> Heard | None:
        """The newest Sync of ``parent``, unless it is too old."""
        heard = self._heard
        if heard is None or heard.parent != parent or (now is not None and now > heard.until_ns):
            return None
        return heard


class TimeBase:
    """The time base of a grandmaster (10.2.4): what its Follow_Up tells of the last jump of its time."""

    def __init__(self) -> None:
        #: gmTimeBaseIndicator: another number after every jump
        self.indicator = 0
        #: lastGmPhaseChange, 2**-16 ns: new time less old time
        self.phase_change_sns = 0

    def stepped(self, step_sns: int | None) -> None:
        """Our clock was stepped while its time was served; None: nobody knows by how much."""
        self.indicator = (self.indicator + 1) & 0xFFFF
        self.phase_change_sns = step_sns or 0
