"""The TLVs of the power profiles, IEEE C37.238-2011 and -2017, on Announce (not checked against the texts).

1. A grandmaster says how wrong its time may be: what it is configured with, or its clockAccuracy where that is worse. A
   clock that does not know says the most that the field holds.
2. A boundary clock hands its parent's TLV on and adds what it makes worse itself. A parent without one is accepted, and
   then nothing is said: a sum with an unknown part is none.
"""

from __future__ import annotations

from ptpstack.protocol.announce_options import AnnounceOption
from ptpstack.protocol.datasets import DataSets
from ptpstack.protocol.options import PowerOptions
from ptpstack.wire.messages import Announce
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.profiles import PowerProfile2011, PowerProfile2017
from ptpstack.wire.types import CLOCK_ACCURACY_NS

#: UInteger32: more than can be said, or not known
MOST = 0xFFFFFFFF


class PowerInaccuracy(AnnounceOption):
    def __init__(self, options: PowerOptions) -> None:
        self._options = options
        self._followed = False
        self._parents: PowerProfile2011 | PowerProfile2017 | None = None

    def followed(self, announce: Announce) -> None:
        self._followed = True
        kind = PowerProfile2011 if self._options.edition == 2011 else PowerProfile2017
        self._parents = next((tlv for tlv in announce.tlvs if isinstance(tlv, kind)), None)

    def grandmaster(self) -> None:
        self._followed, self._parents = False, None

    def tlvs(self, data: DataSets) -> tuple[Tlv, ...]:
        own = self._options
        parents = self._parents
        if isinstance(parents, PowerProfile2011):
            network = _sum(parents.network_time_inaccuracy_ns, own.time_inaccuracy_ns)
            return (PowerProfile2011(parents.grandmaster_id, parents.grandmaster_time_inaccuracy_ns, network),)
        if isinstance(parents, PowerProfile2017):
            total = _sum(parents.total_time_inaccuracy_ns, own.time_inaccuracy_ns)
            return (PowerProfile2017(parents.grandmaster_id, total_time_inaccuracy_ns=total),)
        if self._followed:
            return ()
        known = CLOCK_ACCURACY_NS.get(data.default.quality.clock_accuracy)
        worth = MOST if known is None else min(MOST, max(own.time_inaccuracy_ns, int(known)))
        if own.edition == 2011:
            return (PowerProfile2011(own.grandmaster_id, worth, own.network_inaccuracy_ns),)
        return (PowerProfile2017(own.grandmaster_id, total_time_inaccuracy_ns=_sum(worth, own.network_inaccuracy_ns)),)


def _sum(inaccuracy_ns: int, more_ns: int) -> int:
    return min(MOST, inaccuracy_ns + more_ns)
