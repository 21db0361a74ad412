"""A transparent clock between peers: what passes, what is written into it, and what is dropped rather than wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptpstack.protocol.effects import Send
from ptpstack.protocol.options import TransparentOptions, TransparentPort
from ptpstack.protocol.transparent.clock import MAX_CARRIERS, MAX_PASSAGES, PASSAGE_NS, TransparentClock
from ptpstack.protocol.transparent.syncs import MAX_EARLY
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.messages import (
    Announce,
    DelayReq,
    DelayResp,
    FollowUp,
    Management,
    Message,
    PdelayReq,
    PdelayResp,
    PdelayRespFollowUp,
    Signaling,
    Sync,
)
from ptpstack.wire.types import ClockQuality, Flag, PortIdentity
from tests.protocol.bench import identity

S = 1_000_000_000
GROUP, PEERS = "011b19000000", "0180c200000e"
MASTER, CLIENT, OTHER = PortIdentity(identity(1), 1), PortIdentity(identity(2), 1), PortIdentity(identity(3), 1)
M = TypeVar("M", bound=Message)


def address(source: int, destination: str = GROUP) -> str:
    return f"{destination}{source:012x}88f7"


@dataclass
class Bench:
    """Ports ``m`` (the master's side), ``a`` and ``b``. A frame leaves ``residence[port]`` ns after it came."""

    asymmetry: dict[str, float] = field(default_factory=dict)
    latency: tuple[float, float] = (0.0, 0.0)
    syntonise: bool = True

    def __post_init__(self) -> None:
        ports = tuple(TransparentPort(name, self.asymmetry.get(name, 0.0), *self.latency) for name in ("m", "a", "b"))
        self.clock = TransparentClock(TransparentOptions("tc", ports, syntonise=self.syntonise))
        self.now = 100 * S
        self.residence: dict[str, float | None] = {"m": 700.0, "a": 1234.5, "b": 2_000.25}
        self.stamps: list[tuple[int, int | None]] = []
        self.sent: list[tuple[str, bytes, str]] = []
        self.hold_stamps = False
        #: how much faster than the master's our clock runs
        self.rate = 1.0

    def _take(self, sends: list[Send], ingress_sns: int = 0) -> None:
        for send in sends:
            self.sent.append((send.channel, send.octets, str(send.destination)))
            if send.token is not None:
                residence = self.residence[send.channel]
                stamp = None if residence is None else ingress_sns + round(residence * 65536)
                self.stamps.append((send.token, stamp))
        if not self.hold_stamps:
            self.release()

    def release(self) -> None:
        while self.stamps:
            self._take(self.clock.transmitted(*self.stamps.pop(0), self.now))

    def put(self, port: str, octets: bytes, source: str = "", stamp: bool = True) -> None:
        ingress = round((self.now * self.rate) * 65536) if stamp and octets and octets[0] & 0x0F < 8 else None
        where = source or address({"m": 1, "a": 2, "b": 3}[port])
        self._take(self.clock.receive(port, octets, ingress, where, self.now), ingress or 0)

    def got(self, port: str, kind: type[M]) -> list[M]:
        found = [decode(octets) for channel, octets, _ in self.sent if channel == port]
        return [message for message in found if type(message) is kind]

    def count(self, name: str) -> int:
        return sum(port.counters[name] for port in self.clock.ports.values())


def sync(sequence: int = 7, source: PortIdentity = MASTER, **fields: object) -> bytes:
    fields = {"flags": Flag.TWO_STEP, "log_interval": 0, **fields}
    return encode(Sync(source, sequence, **fields))  # type: ignore[arg-type]


def follow_up(sequence: int = 7, source: PortIdentity = MASTER, **fields: object) -> bytes:
    fields = {"precise_origin_ns": 100 * S, "log_interval": 0, **fields}
    return encode(FollowUp(source, sequence, **fields))  # type: ignore[arg-type]


def delay_resp(sequence: int, requesting: PortIdentity, **fields: object) -> bytes:
    fields = {"receive_ns": 100 * S, **fields}
    return encode(DelayResp(MASTER, sequence, requesting=requesting, **fields))  # type: ignore[arg-type]


def ns(value_sns: int) -> float:
    return value_sns / 65536


ANNOUNCE = Announce(MASTER, 3, grandmaster=MASTER.clock_identity, quality=ClockQuality(6, 0x21, 0x4E5D))


@pytest.mark.parametrize(
    "message",
    [ANNOUNCE, Signaling(MASTER, 3, target=CLIENT), Management(CLIENT, 4, target=MASTER)],
)
def test_TC_02_general_messages_of_no_event_pass_octet_by_octet(message: Message) -> None:
    bench = Bench()
    octets = encode(message) + b"pad"
    bench.put("m", octets)
    assert bench.sent == [("a", octets, address(1)), ("b", octets, address(1))]


@pytest.mark.parametrize("domain", [0, 24, 255])
@pytest.mark.parametrize("sdo_id", [0, 0x100, 0xABC])
def test_TC_01_and_20_every_domain_passes_unchanged_but_for_the_correction(domain: int, sdo_id: int) -> None:
    bench = Bench()
    scope = {"domain": domain, "sdo_id": sdo_id}
    bench.put("m", sync(**scope))
    bench.put("m", follow_up(**scope))
    bench.put("a", encode(DelayReq(CLIENT, 9, **scope)))  # type: ignore[arg-type]
    bench.put("m", delay_resp(9, CLIENT, **scope))
    for port, kind, original in (
        ("a", Sync, sync(**scope)),
        ("b", FollowUp, follow_up(**scope)),
        ("m", DelayReq, encode(DelayReq(CLIENT, 9, **scope))),  # type: ignore[arg-type]
        ("a", DelayResp, delay_resp(9, CLIENT, **scope)),
    ):
        (message,) = bench.got(port, kind)
        octets = bytearray(encode(message))
        octets[8:16] = original[8:16]
        assert bytes(octets) == original


def test_TC_03_and_05_and_06_a_one_step_sync_gets_a_follower_with_its_residence() -> None:
    bench = Bench(asymmetry={"m": 50.0})
    bench.put("m", sync(flags=0, origin_ns=99 * S, correction_sns=1 << 16))
    (passed,), (made,) = bench.got("a", Sync), bench.got("a", FollowUp)
    assert passed.flags & Flag.TWO_STEP
    assert passed.correction_sns == 1 << 16
    assert passed.origin_ns == made.precise_origin_ns == 99 * S
    assert ns(made.correction_sns) == 1234.5 + 50.0
    assert (made.source, made.sequence_id, made.domain) == (passed.source, passed.sequence_id, passed.domain)
    assert (made.control, made.flags & Flag.TWO_STEP) == (2, 0)


def test_TC_04_a_two_step_sync_is_left_alone_and_its_follow_up_carries_the_residence_of_each_port() -> None:
    bench = Bench()
    bench.put("m", sync(correction_sns=3 << 16))
    bench.put("m", follow_up(correction_sns=5 << 16))
    assert [m.correction_sns for m in bench.got("a", Sync)] == [3 << 16]
    assert [ns(m.correction_sns) for m in bench.got("a", FollowUp)] == [5 + 1234.5]
    assert [ns(m.correction_sns) for m in bench.got("b", FollowUp)] == [5 + 2000.25]
    assert not bench.got("m", FollowUp)


def test_TC_07_the_residence_of_a_delay_req_goes_into_its_answer() -> None:
    bench = Bench(asymmetry={"m": 40.0})
    bench.put("a", encode(DelayReq(CLIENT, 9)))
    bench.put("m", delay_resp(9, CLIENT, correction_sns=2 << 16))
    # by the port that the request left by, less that port's asymmetry
    assert [ns(m.correction_sns) for m in bench.got("a", DelayResp)] == [2 + 700.0 - 40.0]
    assert [m.correction_sns for m in bench.got("m", DelayReq)] == [0]


@pytest.mark.parametrize("one_step", [False, True])
def test_TC_08_peer_delay_passes_with_both_residences(one_step: bool) -> None:
    bench = Bench(asymmetry={"b": 30.0})
    to_peers = address(2, PEERS)
    bench.put("a", encode(PdelayReq(CLIENT, 5)), to_peers)
    flags = 0 if one_step else Flag.TWO_STEP
    response = PdelayResp(OTHER, 5, flags=flags, requesting=CLIENT, correction_sns=7 << 16)
    bench.put("b", encode(response), address(3, PEERS))
    if not one_step:
        bench.put("b", encode(PdelayRespFollowUp(OTHER, 5, requesting=CLIENT)), address(3, PEERS))
    (passed,), (follower,) = bench.got("a", PdelayResp), bench.got("a", PdelayRespFollowUp)
    assert passed.flags & Flag.TWO_STEP
    assert passed.correction_sns == 7 << 16
    assert ns(follower.correction_sns) == 2000.25 + 1234.5
    assert (follower.source, follower.requesting, follower.sequence_id) == (OTHER, CLIENT, 5)


def test_TC_12_and_13_two_masters_with_one_sequence_are_kept_apart() -> None:
    bench = Bench()
    bench.put("m", sync(7))
    bench.residence["a"] = 10.0
    bench.put("b", sync(7, OTHER))
    bench.put("m", follow_up(7))
    bench.put("b", follow_up(7, OTHER))
    assert [(m.source, ns(m.correction_sns)) for m in bench.got("a", FollowUp)] == [(MASTER, 1234.5), (OTHER, 10.0)]


def test_TC_14_pairs_are_found_over_the_wrap_of_the_sequence() -> None:
    bench = Bench()
    for sequence in (65535, 0):
        bench.residence["a"] = float(sequence + 1)
        bench.put("m", sync(sequence))
    for sequence in (0, 65535):
        bench.put("m", follow_up(sequence))
    assert [ns(m.correction_sns) for m in bench.got("a", FollowUp)] == [1.0, 65536.0]


def test_TC_15_without_an_egress_stamp_the_follow_up_is_dropped_on_that_port_alone() -> None:
    bench = Bench()
    bench.residence["a"] = None
    bench.put("m", sync())
    bench.put("m", follow_up())
    assert not bench.got("a", FollowUp)
    assert len(bench.got("b", FollowUp)) == 1
    assert bench.count("sent-without-stamp") == bench.count("drop-residence-unknown") == 1
    bench.residence["m"] = None
    bench.put("a", encode(DelayReq(CLIENT, 9)))
    bench.put("m", delay_resp(9, CLIENT))
    assert not bench.got("a", DelayResp)


def test_an_event_message_without_an_ingress_stamp_does_not_pass() -> None:
    bench = Bench()
    bench.put("m", sync(), stamp=False)
    assert bench.sent == []
    assert bench.count("drop-event-without-stamp") == 1


def test_a_stamp_that_is_late_holds_the_follow_up_back_and_nothing_else() -> None:
    bench = Bench()
    bench.hold_stamps = True
    bench.put("m", sync())
    bench.put("m", follow_up())
    bench.put("m", encode(ANNOUNCE))
    assert (len(bench.got("a", FollowUp)), len(bench.got("a", Announce))) == (0, 1)
    bench.hold_stamps = False
    bench.release()
    assert [ns(m.correction_sns) for m in bench.got("a", FollowUp)] == [1234.5]


def test_a_follow_up_that_overtakes_its_sync_leaves_after_it() -> None:
    bench = Bench()
    bench.put("m", follow_up())
    assert bench.sent == []
    bench.put("m", sync())
    kinds = [decode(octets).type.name for channel, octets, _ in bench.sent if channel == "a"]
    assert kinds == ["SYNC", "FOLLOW_UP"]


def test_TC_16_what_is_not_followed_is_forgotten() -> None:
    bench = Bench()
    bench.put("m", sync())
    bench.now += PASSAGE_NS + 1
    bench.put("m", follow_up())
    assert not bench.got("a", FollowUp)
    bench.now += PASSAGE_NS + 1
    bench.put("m", encode(ANNOUNCE))
    assert bench.count("drop-follow-up-without-sync") == 1
    bench.put("a", encode(DelayReq(CLIENT, 9)))
    bench.now += PASSAGE_NS + 1
    bench.put("m", delay_resp(9, CLIENT))
    assert bench.count("drop-delay-resp-without-request") == 1


def test_TC_17_a_negative_asymmetry_of_the_ingress_is_subtracted() -> None:
    bench = Bench(asymmetry={"m": -100.0})
    bench.put("m", sync())
    bench.put("m", follow_up())
    assert [ns(m.correction_sns) for m in bench.got("a", FollowUp)] == [1134.5]


def test_latencies_of_the_ports_count() -> None:
    bench = Bench(latency=(20.0, 5.0))
    bench.put("m", sync())
    bench.put("m", follow_up())
    assert [ns(m.correction_sns) for m in bench.got("a", FollowUp)] == [1234.5 + 25.0]


def test_TC_18_residence_is_counted_in_the_masters_seconds() -> None:
    """Our clock is 100 ppm fast; a frame that was inside for a second of ours was so for 100 us less."""
    bench = Bench()
    bench.rate = 1.0001
    bench.residence["a"] = 1e9
    for sequence in range(40):
        bench.now += S
        bench.put("m", sync(sequence))
        bench.put("m", follow_up(sequence, precise_origin_ns=bench.now))
    residences = [ns(m.correction_sns) for m in bench.got("a", FollowUp)]
    assert residences[0] == 1e9
    assert residences[-1] == pytest.approx(1e9 / 1.0001, abs=10.0)
    (row,) = bench.clock.status()["rate_ratios"]
    assert row["rate_ppb"] == pytest.approx(-99_990.0, abs=1.0)
    plain = Bench(syntonise=False)
    plain.rate = 1.0001
    for sequence in range(40):
        plain.now += S
        plain.put("m", sync(sequence))
        plain.put("m", follow_up(sequence, precise_origin_ns=plain.now))
    assert {ns(m.correction_sns) for m in plain.got("a", FollowUp)} == {1234.5}


def test_a_master_whose_clock_is_set_does_not_bend_the_residence() -> None:
    bench = Bench()
    for sequence in range(60):
        bench.now += S
        bench.put("m", sync(sequence))
        jump = 3_600 * S if sequence >= 30 else 0
        bench.put("m", follow_up(sequence, precise_origin_ns=bench.now + jump))
    assert {ns(m.correction_sns) for m in bench.got("a", FollowUp)} == {1234.5}


def test_TC_19_a_group_is_everywhere_but_where_it_came_from_and_a_station_where_it_was_heard() -> None:
    bench = Bench()
    bench.put("a", encode(ANNOUNCE))
    assert {channel for channel, _, _ in bench.sent} == {"m", "b"}
    bench.sent.clear()
    to_client = address(1, f"{2:012x}")
    bench.put("m", sync(), to_client)
    bench.put("m", follow_up(), to_client)
    assert {channel for channel, _, _ in bench.sent} == {"a"}
    assert {where for _, _, where in bench.sent} == {to_client}
    bench.sent.clear()
    bench.put("m", sync(8), address(1, f"{99:012x}"))
    assert {channel for channel, _, _ in bench.sent} == {"a", "b"}


def test_a_port_that_is_down_gets_nothing_and_who_was_there_may_be_anywhere() -> None:
    bench = Bench()
    bench.put("a", encode(ANNOUNCE))
    bench.sent.clear()
    bench.clock.link("a", False, bench.now)
    bench.put("m", encode(ANNOUNCE))
    bench.put("m", encode(ANNOUNCE), address(1, f"{2:012x}"))
    assert [channel for channel, _, _ in bench.sent] == ["b", "b"]
    bench.sent.clear()
    bench.clock.link("a", True, bench.now)
    bench.put("m", encode(ANNOUNCE))
    assert [channel for channel, _, _ in bench.sent] == ["a", "b"]


def test_asked_and_answered_on_one_side_nothing_is_added() -> None:
    bench = Bench()
    bench.put("m", encode(DelayReq(OTHER, 9)), address(9))
    bench.put("m", delay_resp(9, OTHER, correction_sns=4))
    assert [m.correction_sns for m in bench.got("a", DelayResp)] == [4]


def test_a_clock_that_was_set_in_between_gives_no_residence() -> None:
    bench = Bench()
    bench.residence["a"], bench.residence["b"] = -5.0, 11e9
    bench.put("m", sync())
    bench.put("m", follow_up())
    assert not bench.got("a", FollowUp)
    assert not bench.got("b", FollowUp)
    assert bench.count("residence-absurd") == 2


def test_other_versions_pass_as_by_a_bridge() -> None:
    bench = Bench()
    old = bytes([0x00, 0x01]) + sync()[2:]
    bench.put("m", old)
    assert [(channel, octets) for channel, octets, _ in bench.sent] == [("a", old), ("b", old)]


def test_what_waits_for_one_stamp_has_its_limit() -> None:
    bench = Bench()
    bench.hold_stamps = True
    bench.put("m", sync())
    for _ in range(2 * MAX_CARRIERS):
        bench.put("m", follow_up())
    assert sum(len(passage.carriers) for passage in bench.clock._passages.values()) == MAX_CARRIERS
    assert bench.count("drop-too-many-waiting") > 0


def test_what_is_kept_has_its_limits() -> None:
    bench = Bench()
    bench.hold_stamps = True
    for number in range(MAX_PASSAGES + 100):
        source = PortIdentity(identity(number + 10), 1)
        bench.put("m", sync(1, source), address(number + 10))
        bench.put("m", follow_up(2, source), address(number + 10))
    clock = bench.clock
    assert len(clock._passages) == MAX_PASSAGES
    assert len(clock.syncs._early) == MAX_EARLY
    assert len(clock._tokens) == 2 * MAX_PASSAGES
    assert bench.count("stamp-never-reported") == 200


frames = st.one_of(
    st.binary(max_size=80),
    st.builds(
        lambda octets, at, value: bytes((*octets[: at % len(octets)], value, *octets[at % len(octets) + 1 :])),
        st.sampled_from(
            [
                sync(),
                sync(flags=0),
                follow_up(),
                encode(DelayReq(CLIENT, 9)),
                delay_resp(9, CLIENT),
                encode(PdelayReq(CLIENT, 5)),
                encode(PdelayResp(OTHER, 5, requesting=CLIENT)),
                encode(PdelayRespFollowUp(OTHER, 5, requesting=CLIENT)),
            ]
        ),
        st.integers(0, 100),
        st.integers(0, 255),
    ),
)


@given(
    st.lists(
        st.tuples(st.sampled_from("mab"), frames, st.booleans(), st.sampled_from(["keep", "give", "lose"])), max_size=40
    )
)
def test_nothing_raises_and_nothing_comes_back_where_it_came_from(
    history: list[tuple[str, bytes, bool, str]],
) -> None:
    bench = Bench()
    bench.hold_stamps = True
    for port, octets, stamp, fate in history:
        bench.now += S // 4
        before = len(bench.sent)
        bench.put(port, octets, stamp=stamp)
        assert port not in [channel for channel, _, _ in bench.sent[before:]]
        if fate != "keep" and bench.stamps:
            token, stamped = bench.stamps.pop(0)
            bench._take(bench.clock.transmitted(token, stamped if fate == "give" else None, bench.now))
    for octets in [octets for _, octets, _ in bench.sent]:
        assert len(octets) >= 34
