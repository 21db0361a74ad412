"""SMPTE ST 2059-2 synchronization metadata: what is in it, when it is sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ptpstack.config.zones import changes_of
from ptpstack.protocol.options import AlternateTimescale, SyncMetadataOptions, TimeProperties
from ptpstack.protocol.sync_metadata import FREE_RUN, LOCKED, metadata
from ptpstack.wire.codec import encode
from ptpstack.wire.messages import Management
from ptpstack.wire.tlvs.profiles import SynchronizationMetadata
from tests.protocol.bench import GRANDMASTER, PLAIN, Bench, Peer, S

BERLIN = AlternateTimescale(0, "local", changes_of("Europe/Berlin"), "Europe/Berlin")
PLANT = SyncMetadataOptions(BERLIN, (30000, 1001), True, 2 * 3600 + 1800)
KNOWN = TimeProperties(current_utc_offset_valid=True)
#: 2026-07-01T12:00:00Z
SUMMER = 1782907200


def test_the_local_time_of_a_summer_day() -> None:
    tlv = metadata(PLANT, SUMMER + 37, KNOWN, LOCKED)
    assert (tlv.frame_rate_numerator, tlv.frame_rate_denominator, tlv.time_address_flags) == (30000, 1001, 1)
    assert (tlv.master_locking_status, tlv.current_local_offset_s) == (LOCKED, 7200 - 37)
    # on 2026-10-25T01:00:00Z back to standard time
    assert (tlv.jump_s, tlv.time_of_next_jump_s) == (-3600, 1792890000 + 37)
    assert tlv.daylight_saving == 0b101
    # the jam of 02:30 local time, 00:30 UTC: this night's, and the next
    midnight = SUMMER - 12 * 3600
    assert tlv.time_of_previous_jam_s == midnight + 1800 + 37
    assert tlv.time_of_next_jam_s == midnight + 86_400 + 1800 + 37
    assert tlv.previous_jam_local_offset_s == 7200 - 37
    assert tlv.leap_second_jump == 0


def test_a_jam_beyond_a_change_of_local_time_is_at_that_sides_offset() -> None:
    """2026-03-29 04:00 local time: the jam of the day before was in winter."""
    plant = replace(PLANT, daily_jam_s=5 * 3600)
    now = 1774746000 + 3600  # 02:00 UTC, 04:00 CEST
    tlv = metadata(plant, now + 37, KNOWN, LOCKED)
    assert tlv.current_local_offset_s == 7200 - 37
    # 05:00 CEST is in an hour; 05:00 CET of the day before was 04:00 UTC
    assert tlv.time_of_next_jam_s == now + 3600 + 37
    assert tlv.time_of_previous_jam_s == now - 22 * 3600 + 37
    assert tlv.previous_jam_local_offset_s == 3600 - 37
    assert tlv.daylight_saving == 0b001


def test_a_leap_second_is_told_as_one() -> None:
    fixed = SyncMetadataOptions(AlternateTimescale(0, "local", ((0, 3600),)))
    tlv = metadata(fixed, 1483228800, TimeProperties(36, True, leap61=True), LOCKED)
    assert (tlv.jump_s, tlv.time_of_next_jump_s, tlv.leap_second_jump) == (-1, 1483228837, 1)
    assert (tlv.time_of_next_jam_s, tlv.time_of_previous_jam_s, tlv.daylight_saving) == (0, 0, 0)


def serving(quality: Any = GRANDMASTER, properties: TimeProperties = KNOWN) -> Bench:
    bench = Bench(
        2,
        port={"listen_first": False, "log_sync_interval": -3},
        quality=quality,
        time_properties=properties,
        sync_metadata=PLANT,
    )
    bench.ptp_offset_ns = SUMMER * S
    bench.run(3)
    bench.clear()
    return bench


def test_PRF_25_metadata_are_sent_once_a_second_on_every_port_of_a_grandmaster() -> None:
    bench = serving()
    bench.run(10)
    for port in (1, 2):
        messages = bench.sent(Management, port)
        assert len(messages) == 10
        assert [m.sequence_id for m in messages] == list(range(messages[0].sequence_id, messages[0].sequence_id + 10))
        (tlv,) = messages[0].tlvs
        assert isinstance(tlv, SynchronizationMetadata)
        assert 4 + len(tlv.value) == 52
        assert len(encode(messages[0])) == 48 + 52
        assert (messages[0].action, messages[0].target.clock_identity) == (3, b"\xff" * 8)


def test_PRF_25_a_change_of_lock_is_told_at_once() -> None:
    bench = serving()
    bench.run(0.3)
    bench.clear()
    changed = bench.now
    bench.call("set_quality", PLAIN, KNOWN)
    bench.run(0.4)
    (when, message), *others = bench.sent_at(Management, 1)
    assert others == []
    assert when - changed < 0.26 * S
    (tlv,) = message.tlvs
    assert isinstance(tlv, SynchronizationMetadata)
    assert tlv.master_locking_status == FREE_RUN


@pytest.mark.parametrize("properties", [TimeProperties(), replace(KNOWN, current_utc_offset_valid=False)])
def test_while_utc_is_not_known_nothing_is_sent(properties: TimeProperties) -> None:
    bench = serving(properties=properties)
    bench.run(5)
    assert bench.sent(Management) == []


def test_who_follows_sends_none_and_answers_none() -> None:
    bench = serving(quality=PLAIN)
    peer = Peer(1, priority1=1)
    bench.hear(peer)
    bench.run(20)
    assert bench.states() == ["UNCALIBRATED", "MASTER"]
    bench.clear()
    other = serving()
    other.run(2)
    bench.run(5)
    assert bench.sent(Management) == []
    told = other.sent(Management, 1)[0]
    bench.receive(encode(told))
    assert [m for m in bench.sent(Management) if m.source == bench.port(1).identity or m.action in (2, 4)] == []
