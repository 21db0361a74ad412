"""An instance inside a transparent clock: what it is given, and what becomes of what it sends."""

from __future__ import annotations

from typing import Any

import pytest

from ptpstack.protocol.effects import Send
from ptpstack.protocol.options import TransparentOptions, TransparentPort
from ptpstack.protocol.transparent.clock import PASSAGE_NS, TransparentClock
from ptpstack.protocol.transparent.inside import Delivered, Effect, LinkMeasured, Stamped
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.messages import DelayReq, DelayResp, FollowUp, PdelayResp, Sync
from ptpstack.wire.own_envelope import group_envelope, is_open
from ptpstack.wire.types import PortIdentity
from tests.protocol.bench import identity
from tests.protocol.test_transparent import (
    ANNOUNCE,
    CLIENT,
    GROUP,
    MASTER,
    PEERS,
    S,
    address,
    delay_resp,
    follow_up,
    ns,
    sync,
)

INSIDE = PortIdentity(identity(9), 1)
HERE = "tc/l2"
NOW = 100 * S
T = NOW << 16
OWN = 7_000_001


def clock(**options: Any) -> TransparentClock:
    ports = (TransparentPort("m", options.pop("asymmetry", 0.0)), TransparentPort("a"))
    made = TransparentClock(
        TransparentOptions("tc", ports, inside=(HERE,), clock_identity=identity(9), transport="l2", **options)
    )
    made.start(NOW)
    return made


def put(made: TransparentClock, port: str, octets: bytes, where: str = "") -> list[Effect]:
    stamp = T if octets[0] & 15 < 8 else None
    return made.receive(port, octets, stamp, where or address({"m": 1, "a": 2}[port]), NOW)


def delivered(effects: list[Effect]) -> list[Delivered]:
    return [effect for effect in effects if isinstance(effect, Delivered)]


def sends(effects: list[Effect]) -> dict[str, Send]:
    return {effect.channel: effect for effect in effects if isinstance(effect, Send)}


def say(made: TransparentClock, octets: bytes, token: int | None = None) -> list[Effect]:
    return made.from_inside(Send(HERE, octets, None, token), NOW)


def test_what_passes_is_there_at_once_and_carries_no_residence() -> None:
    made = clock(asymmetry=50.0)
    (announce,) = delivered(put(made, "m", encode(ANNOUNCE)))
    assert announce == Delivered(HERE, encode(ANNOUNCE), None, "00:00:00:00:00:01")
    passing = put(made, "m", sync())
    assert delivered(passing) == [Delivered(HERE, sync(), T, "00:00:00:00:00:01")]
    token = sends(passing)["a"].token
    assert token is not None
    (after,) = delivered(put(made, "m", follow_up()))
    assert ns(decode(after.octets).correction_sns) == 50
    (carried,) = sends(made.transmitted(token, T + (700 << 16), NOW)).values()
    assert ns(decode(carried.octets).correction_sns) == 750


def test_it_hears_multicast_of_its_transport() -> None:
    made = clock()
    assert not delivered(put(made, "m", encode(ANNOUNCE), address(1, "020000000077")))
    udp = group_envelope("udp4")
    assert not delivered(put(made, "m", encode(ANNOUNCE), udp[:12] + "020000000001" + udp[24:]))


@pytest.mark.parametrize(("by", "later"), [("m", 0), ("a", 50)])
def test_a_delay_req_has_one_stamp_and_its_answer_the_difference_of_the_port(by: str, later: int) -> None:
    made = clock(asymmetry=8.0)
    asked = sends(say(made, encode(DelayReq(INSIDE, 3)), OWN))
    assert set(asked) == {"m", "a"}
    assert all(is_open(str(send.destination)) for send in asked.values())
    first = made.transmitted(asked["m"].token or 0, T, NOW)
    assert first == [Stamped(OWN, T)]
    assert made.transmitted(asked["a"].token or 0, T + (50 << 16), NOW) == []
    answer = delivered(put(made, by, delay_resp(3, INSIDE)))
    assert [ns(decode(frame.octets).correction_sns) for frame in answer] == [later - (8 if by == "m" else 0)]
    assert isinstance(decode(answer[0].octets), DelayResp)


def test_the_syncs_of_a_grandmaster_inside_leave_with_the_difference_of_each_port() -> None:
    made = clock()
    sent = sends(say(made, encode(Sync(INSIDE, 4, flags=0x200)), OWN))
    assert made.transmitted(sent["a"].token or 0, T, NOW) == [Stamped(OWN, T)]
    assert made.transmitted(sent["m"].token or 0, T - (30 << 16), NOW) == []
    after = sends(say(made, encode(FollowUp(INSIDE, 4, precise_origin_ns=NOW))))
    assert {name: ns(decode(send.octets).correction_sns) for name, send in after.items()} == {"a": 0, "m": -30}


def test_a_delay_req_of_a_client_outside_reaches_it_and_its_answer_carries_nothing() -> None:
    made = clock()
    (request,) = delivered(put(made, "a", encode(DelayReq(CLIENT, 5))))
    assert request.ingress_sns == T
    answer = sends(say(made, encode(DelayResp(INSIDE, 5, requesting=CLIENT, receive_ns=NOW))))
    assert {name: decode(send.octets).correction_sns for name, send in answer.items()} == {"m": 0, "a": 0}


def test_an_event_of_its_own_that_nobody_stamped_has_no_stamp() -> None:
    made = clock()
    sent = sends(say(made, encode(DelayReq(INSIDE, 3)), OWN))
    assert made.transmitted(sent["m"].token or 0, None, NOW) == []
    assert made.transmitted(sent["a"].token or 0, None, NOW) == [Stamped(OWN, None)]
    # nor one that is never reported, nor one that cannot leave
    say(made, encode(DelayReq(INSIDE, 4)), OWN + 1)
    later = NOW + PASSAGE_NS + 1
    assert Stamped(OWN + 1, None) in made.receive("m", encode(ANNOUNCE), None, address(1), later)
    made.link("m", False, later)
    made.link("a", False, later)
    assert made.from_inside(Send(HERE, encode(DelayReq(INSIDE, 5)), None, OWN + 2), later) == [Stamped(OWN + 2, None)]


def test_unicast_from_inside_goes_nowhere() -> None:
    made = clock()
    sent = Send(HERE, encode(DelayReq(INSIDE, 3)), "02:00:00:00:00:01", OWN)
    assert made.from_inside(sent, NOW) == [Stamped(OWN, None)]
    assert made.ports[HERE].counters["drop-unicast-from-inside"] == 1


def test_inside_a_peer_to_peer_clock_the_link_is_told_and_not_carried() -> None:
    made = clock(delay_mechanism="P2P")
    asked = sends(made.timer(NOW + S))["m"]
    made.transmitted(asked.token or 0, T, NOW)
    request = decode(asked.octets)
    response = PdelayResp(MASTER, request.sequence_id, requesting=request.source)
    seen = made.receive("m", encode(response), T + (800 << 16), address(1, PEERS), NOW)
    (measured,) = [effect for effect in seen if isinstance(effect, LinkMeasured)]
    assert (measured.channel, measured.complete.delay_sns >> 16) == ("m", 400)
    assert made.behind("00:00:00:00:00:01", NOW) == "m"
    put(made, "m", sync())
    (after,) = delivered(put(made, "m", follow_up()))
    assert decode(after.octets).correction_sns == 0
    # what is not for a peer-to-peer clock does not leave it, either
    assert say(made, encode(DelayReq(INSIDE, 3)), OWN) == [Stamped(OWN, None)]
    assert GROUP not in {str(send.destination)[:12] for send in sends(seen).values()}
