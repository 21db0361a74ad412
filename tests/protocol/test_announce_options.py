"""Options that live on Announce: path trace, acceptable masters, alternate time offsets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ptpstack.config.zones import changes_of
from ptpstack.protocol.alternate_time import AlternateTimes, indicator
from ptpstack.protocol.options import AcceptableMaster, AlternateTimescale, TimeProperties
from ptpstack.protocol.path_trace import MAX_PATH
from ptpstack.wire.messages import Announce
from ptpstack.wire.tlvs.announce import AlternateTimeOffsetIndicator, PathTrace
from tests.protocol.bench import GRANDMASTER, Bench, Peer, S, identity

OWN = identity(0x50)


# ---------------------------------------------------------------------------------------------------- path trace


def paths(bench: Bench, port: int = 1) -> list[tuple[bytes, ...]]:
    """The list of each Announce sent on a port; () where there is none."""
    return [
        next((tlv.path for tlv in message.tlvs if isinstance(tlv, PathTrace)), ())
        for message in bench.sent(Announce, port)
    ]


def test_BC_11_the_list_goes_on_with_our_own_clock_at_its_end() -> None:
    bench = Bench(2, path_trace=True)
    path = (identity(1), identity(2))
    bench.hear(Peer(2, grandmaster=identity(1), priority1=1, tlvs=(PathTrace(path),)))
    bench.run(20)
    assert bench.states() == ["UNCALIBRATED", "MASTER"]
    assert paths(bench, 2)[-1] == (*path, OWN)


def test_a_grandmaster_lists_itself_and_a_parent_without_list_begins_anew() -> None:
    bench = Bench(2, path_trace=True)
    bench.run(10)
    assert paths(bench)[-1] == (OWN,)
    peer = Peer(2, priority1=1, tlvs=(PathTrace((identity(2),)),))
    bench.hear(peer)
    bench.run(20)
    assert paths(bench, 2)[-1] == (identity(2), OWN)
    peer.fields["tlvs"] = ()
    bench.run(5)
    assert paths(bench, 2)[-1] == (OWN,)
    bench.silence(peer)
    bench.run(20)
    assert bench.instance.is_grandmaster
    assert paths(bench, 1)[-1] == (OWN,)


def test_BMC_28_an_announce_that_came_through_us_is_refused() -> None:
    peer = Peer(2, grandmaster=identity(1), priority1=1, tlvs=(PathTrace((identity(1), OWN, identity(2))),))
    for path_trace, state in ((True, "MASTER"), (False, "UNCALIBRATED")):
        bench = Bench(path_trace=path_trace)
        bench.hear(peer)
        bench.run(20)
        assert bench.states() == [state]
        assert bool(bench.port().counters["drop-announce-path-trace"]) == path_trace


def test_without_the_option_the_list_is_neither_sent_nor_handed_on() -> None:
    bench = Bench(2)
    bench.hear(Peer(2, priority1=1, tlvs=(PathTrace((identity(2),)),)))
    bench.run(20)
    assert bench.states() == ["UNCALIBRATED", "MASTER"]
    assert set(paths(bench, 2)) == {()}


@pytest.mark.parametrize(("length", "sent"), [(MAX_PATH - 1, MAX_PATH), (MAX_PATH, 0)])
def test_a_list_that_does_not_fit_is_not_sent(length: int, sent: int) -> None:
    bench = Bench(2, path_trace=True)
    path = tuple(identity(1000 + n) for n in range(length))
    bench.hear(Peer(2, priority1=1, tlvs=(PathTrace(path),)))
    bench.run(20)
    assert len(paths(bench, 2)[-1]) == sent


# ---------------------------------------------------------------------------------------------- acceptable masters

ONLY = {"port": {"acceptable_masters_only": True}}


def test_BMC_27_only_masters_of_the_table_are_followed() -> None:
    bench = Bench(acceptable_masters=(AcceptableMaster(identity(2)),), **ONLY)
    bench.hear(Peer(1, priority1=1))
    bench.hear(Peer(2, priority1=127))
    bench.run(10)
    assert bench.instance.data.parent.grandmaster_identity == identity(2)
    assert bench.port().counters["drop-announce-not-acceptable"] >= 4
    assert len(bench.port().foreign) == 1


def test_BMC_27_an_entry_may_name_one_port_of_a_clock() -> None:
    for number, state in ((1, "UNCALIBRATED"), (2, "MASTER")):
        bench = Bench(acceptable_masters=(AcceptableMaster(identity(1), number),), **ONLY)
        bench.hear(Peer(1, 1, priority1=1))
        bench.run(10)
        assert bench.states() == [state]


def test_BMC_27_alternate_priority1_replaces_what_is_announced() -> None:
    table = (AcceptableMaster(identity(1), alternate_priority1=20), AcceptableMaster(identity(2)))
    bench = Bench(client_only=True, acceptable_masters=table, **ONLY)
    bench.hear(Peer(1, priority1=200))
    bench.hear(Peer(2, priority1=30))
    bench.run(10)
    assert bench.instance.data.parent.grandmaster_identity == identity(1)
    # what it announced is what parentDS holds and what goes downstream
    assert bench.instance.data.parent.grandmaster_priority1 == 200


def test_the_table_orders_masters_of_one_port_by_local_priority() -> None:
    for preferred in (1, 2):
        table = (AcceptableMaster(identity(preferred), local_priority=5), AcceptableMaster(identity(3 - preferred)))
        bench = Bench(client_only=True, bmca="itu-alternate", acceptable_masters=table)
        for n in (1, 2):
            bench.hear(Peer(n, quality=GRANDMASTER))
        bench.run(10)
        assert bench.instance.data.parent.grandmaster_identity == identity(preferred)


# ------------------------------------------------------------------------------------------ alternate time offsets

BERLIN = AlternateTimescale(1, "Berlin", changes_of("Europe/Berlin"), "Europe/Berlin")
KNOWN = TimeProperties(current_utc_offset_valid=True)
#: 2026-03-29T01:00:00Z and 2026-10-25T01:00:00Z
SPRING, AUTUMN = 1774746000, 1792890000


@pytest.mark.parametrize(
    ("at_utc_s", "offset_s", "jump_s", "next_utc_s"),
    [
        (SPRING - 1, 3600, 3600, SPRING),
        (SPRING, 7200, -3600, AUTUMN),
        (AUTUMN - 1, 7200, -3600, AUTUMN),
    ],
)
def test_TIM_18_and_19_the_jump_is_announced_and_then_done(
    at_utc_s: int, offset_s: int, jump_s: int, next_utc_s: int
) -> None:
    tlv = indicator(BERLIN, at_utc_s + 37, KNOWN)
    assert (tlv.key, tlv.display_name) == (1, "Berlin")
    assert (tlv.current_offset_s, tlv.jump_s, tlv.time_of_next_jump_s) == (offset_s - 37, jump_s, next_utc_s + 37)


def test_TIM_18_a_receiver_that_applies_the_jump_has_what_is_sent_afterwards() -> None:
    for jump in (SPRING, AUTUMN):
        before, after = (indicator(BERLIN, jump + 37 + d, KNOWN) for d in (-1, 0))
        assert before.time_of_next_jump_s == jump + 37
        assert before.current_offset_s + before.jump_s == after.current_offset_s


def test_TIM_19_a_leap_second_moves_local_time_back_by_one() -> None:
    """2016-12-31: the offset to PTP goes from 3600 - 36 to 3600 - 37 when 2017 begins, one second later than before."""
    option = AlternateTimes((AlternateTimescale(2, "CET", ((0, 3600),)),))
    last = TimeProperties(current_utc_offset=36, current_utc_offset_valid=True, leap61=True)
    said = []
    # 23:59:58, :59, :60, and the first second of the year
    for ptp_s, properties in (
        *((at, last) for at in (1483228834, 1483228835, 1483228836)),
        (1483228837, replace(last, current_utc_offset=37, leap61=False)),
    ):
        option.time_is(ptp_s, properties)
        (tlv,) = option.tlvs(Bench().instance.data)
        assert isinstance(tlv, AlternateTimeOffsetIndicator)
        said.append((tlv.current_offset_s, tlv.jump_s, tlv.time_of_next_jump_s))
    assert said == [(3564, -1, 1483228837)] * 3 + [(3563, 0, 0)]


def offsets(bench: Bench, port: int = 1) -> list[AlternateTimeOffsetIndicator]:
    return [tlv for tlv in bench.sent(Announce, port)[-1].tlvs if isinstance(tlv, AlternateTimeOffsetIndicator)]


def serving(properties: TimeProperties, **options: Any) -> Bench:
    bench = Bench(2, time_properties=properties, alternate_timescales=(BERLIN,), **options)
    bench.run(10)
    bench.call("tell_time", SPRING)
    bench.run(3)
    return bench


def test_TIM_18_a_grandmaster_announces_its_local_times_and_a_change_at_once() -> None:
    bench = serving(KNOWN)
    assert [t.current_offset_s for t in offsets(bench)] == [3563]
    bench.clear()
    bench.call("tell_time", SPRING + 37)
    bench.run(0.5)
    assert [t.current_offset_s for t in offsets(bench)] == [7163]
    bench.clear()
    bench.call("tell_time", SPRING + 38)
    bench.run(1)
    assert bench.sent(Announce) == []


@pytest.mark.parametrize("properties", [TimeProperties(), replace(KNOWN, ptp_timescale=False)])
def test_while_utc_is_not_known_nothing_is_said_of_local_time(properties: TimeProperties) -> None:
    assert offsets(serving(properties)) == []


def test_who_follows_hands_on_what_the_parent_says_and_nothing_else() -> None:
    theirs = AlternateTimeOffsetIndicator(7, 100, display_name="theirs")
    bench = serving(KNOWN)
    peer = Peer(1, priority1=1, tlvs=(theirs,))
    bench.hear(peer)
    bench.run(20)
    bench.call("tell_time", SPRING + 100)
    bench.run(3)
    assert bench.states() == ["UNCALIBRATED", "MASTER"]
    assert offsets(bench, 2) == [theirs]
    bench.silence(peer)
    bench.run(20)
    assert [t.key for t in offsets(bench, 2)] == [1]
    assert bench.now > 10 * S
