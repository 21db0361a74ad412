"""Whom strangers' Announces push out, and that the status says so."""

from __future__ import annotations

from ptpstack.engine.status import status
from ptpstack.wire.codec import encode
from ptpstack.wire.messages import Announce
from ptpstack.wire.types import ClockQuality, PortIdentity, PortState

from .test_plain_answer import CHANNEL, DOMAIN, NOW, SDO_ID, engine


def test_better_masters_under_ever_new_identities_are_counted_out_and_change_nothing() -> None:
    made = engine()
    for number in range(1, 1001):
        announce = Announce(PortIdentity(number.to_bytes(8, "big"), 1), 1, domain=DOMAIN, sdo_id=SDO_ID)
        announce.priority1, announce.quality = 0, ClockQuality(1, 0x17, 1)
        announce.grandmaster = announce.source.clock_identity
        made.receive(CHANNEL, encode(announce), None, "192.0.2.7", NOW + number * 1_000_000)
    instance = status(made, NOW + 10**9)["instances"][0]
    port = instance["ports"][0]
    assert port["state"] == PortState.MASTER.name
    assert instance["is_grandmaster"]
    assert len(instance["foreign_masters"]) == 16
    assert port["counters"]["rx-announce"] == 1000
    assert port["counters"]["drop-foreign-master-evicted"] == 1000 - 16
