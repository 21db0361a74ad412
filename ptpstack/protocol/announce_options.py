"""Options that live on Announce: each may refuse one, keep something of the parent's, and add TLVs to ours.

1. An option is told everything and decides for itself; the instance knows none by name.
2. ``tlvs`` says what holds now; it is asked for every Announce that leaves.
"""

from __future__ import annotations

from ptpstack.protocol.datasets import DataSets
from ptpstack.protocol.options import TimeProperties
from ptpstack.wire.messages import Announce
from ptpstack.wire.tlv import Tlv


class AnnounceOption:
    def refuses(self, announce: Announce) -> str:
        """The name of a counter when this Announce may not take part in the election, else ""."""
        return ""

    def followed(self, announce: Announce) -> None:
        """The newest Announce of the parent."""

    def grandmaster(self) -> None:
        """Nobody is followed, or nobody any longer."""

    def time_is(self, ptp_s: int, properties: TimeProperties) -> bool:
        """What our own clock shows, about once a second, and what holds of it; True when ``tlvs`` has changed."""
        return False

    def tlvs(self, data: DataSets) -> tuple[Tlv, ...]:
        """What is added to the Announces of this instance."""
        return ()
