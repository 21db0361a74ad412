"""Row TC-21: management messages pass a transparent clock, and what is meant for it is answered."""

from __future__ import annotations

from typing import Any

import pytest

from ptpstack.protocol.effects import Send
from ptpstack.protocol.options import TransparentOptions, TransparentPort
from ptpstack.protocol.transparent.clock import TransparentClock
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.management import COMMAND, GET, NO_SUCH_ID, NOT_SETABLE, NOT_SUPPORTED, RESPONSE, SET, WRONG_VALUE
from ptpstack.wire.management.rows import MANAGEMENT_IDS
from ptpstack.wire.messages import Management
from ptpstack.wire.own_envelope import from_here
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.management import ManagementErrorStatus, ManagementTlv
from ptpstack.wire.types import ALL_CLOCKS, ALL_PORTS, PortIdentity
from tests.protocol.bench import identity
from tests.protocol.test_transparent import CLIENT, S, address

OWN = identity(9)
EVERYBODY = PortIdentity(ALL_CLOCKS, ALL_PORTS)
DEFAULT, PORT, DOMAIN = 0x4000, 0x4001, 0x4002


def clock(**options: Any) -> TransparentClock:
    ports = (TransparentPort("m"), TransparentPort("a"), TransparentPort("b"))
    return TransparentClock(TransparentOptions("tc", ports, clock_identity=OWN, domain=24, **options))


def ask(
    made: TransparentClock, management_id: int, target: PortIdentity = EVERYBODY, action: int = GET, now: int = S
) -> tuple[bytes, list[Management]]:
    """What is asked at port ``a`` of domain 7, and the answers."""
    request = Management(
        CLIENT, 11, domain=7, target=target, action=action, starting_boundary_hops=3, boundary_hops=2,
        tlvs=(ManagementTlv(management_id),),
    )  # fmt: skip
    octets = encode(request)
    sends = made.receive("a", octets, None, address(2), now)
    passed = [s for s in sends if isinstance(s, Send) and s.octets == octets]
    assert [s.channel for s in passed] == ["m", "b"]
    answers = []
    for send in sends:
        assert isinstance(send, Send)
        if send not in passed:
            assert (send.channel, send.destination, send.token) == ("a", from_here(address(2)), None)
            message = decode(send.octets)
            assert isinstance(message, Management)
            answers.append(message)
    return octets, answers


def values(message: Management) -> dict[str, Any]:
    (tlv,) = message.tlvs
    assert isinstance(tlv, ManagementTlv)
    return MANAGEMENT_IDS[tlv.management_id].decode(tlv.data)


@pytest.mark.parametrize("target", [EVERYBODY, PortIdentity(OWN, ALL_PORTS), PortIdentity(OWN, 1)])
@pytest.mark.parametrize(("mechanism", "code"), [("E2E", 1), ("P2P", 2)])
def test_TC_21_its_default_data_set_is_told_and_the_message_passes(
    target: PortIdentity, mechanism: str, code: int
) -> None:
    _, (answer,) = ask(clock(delay_mechanism=mechanism), DEFAULT, target)
    assert values(answer) == {"clockIdentity": OWN, "numberPorts": 3, "delayMechanism": code, "primaryDomain": 24}
    assert (answer.source, answer.target) == (PortIdentity(OWN, 2), CLIENT)
    assert (answer.domain, answer.sequence_id, answer.action, answer.boundary_hops) == (7, 11, RESPONSE, 1)


def test_TC_21_every_port_tells_of_itself() -> None:
    made = clock()
    made.link("b", False, S)
    made.link("b", True, S)
    _, answers = ask(made, PORT)
    assert [values(a)["portIdentity"].port_number for a in answers] == [1, 2, 3]
    assert {values(a)["faultyFlag"] for a in answers} == {False}
    _, (answer,) = ask(made, PORT, PortIdentity(OWN, 3))
    assert values(answer)["portIdentity"] == PortIdentity(OWN, 3)
    _, (answer,) = ask(made, DOMAIN)
    assert values(answer) == {"primaryDomain": 24}


@pytest.mark.parametrize(
    ("management_id", "action", "error"),
    [
        (0x2000, GET, NOT_SUPPORTED),
        (0x1234, GET, NO_SUCH_ID),
        (DOMAIN, SET, NOT_SETABLE),
        (DEFAULT, COMMAND, NOT_SUPPORTED),
    ],
)
def test_TC_21_it_refuses_only_when_it_is_meant(management_id: int, action: int, error: int) -> None:
    _, (answer,) = ask(clock(), management_id, PortIdentity(OWN, ALL_PORTS), action)
    (tlv,) = answer.tlvs
    assert isinstance(tlv, ManagementErrorStatus)
    assert (tlv.error_id, tlv.management_id) == (error, management_id)
    assert ask(clock(), management_id, EVERYBODY, action)[1] == []
    # then an instance with the same identity is inside, and speaks for the box
    assert ask(clock(inside=("tc/udp4",)), management_id, PortIdentity(OWN, ALL_PORTS), action)[1] == []


def test_TC_21_a_port_that_it_has_not() -> None:
    _, (answer,) = ask(clock(), PORT, PortIdentity(OWN, 9))
    (tlv,) = answer.tlvs
    assert isinstance(tlv, ManagementErrorStatus)
    assert tlv.error_id == WRONG_VALUE


def test_TC_21_what_is_for_others_or_no_request_passes_in_silence() -> None:
    assert ask(clock(), DEFAULT, PortIdentity(identity(4), ALL_PORTS))[1] == []
    assert ask(clock(), DEFAULT, EVERYBODY, RESPONSE)[1] == []


def test_TC_21_a_flood_is_answered_up_to_a_rate_and_passes_whole() -> None:
    made = clock()
    answered = sum(len(ask(made, DEFAULT)[1]) for _ in range(500))
    assert 0 < answered < 400
    assert made.ports["a"].counters["management-rate-limit"] == 500 - answered


@pytest.mark.parametrize("tlvs", [(), (Tlv(0x2004, b"ab"),), (ManagementTlv(DEFAULT), ManagementTlv(PORT))])
def test_TC_21_what_has_not_one_management_tlv_is_not_answered(tlvs: tuple[Tlv, ...]) -> None:
    octets = encode(Management(CLIENT, 1, target=EVERYBODY, action=GET, tlvs=tlvs))
    assert len(clock().receive("a", octets, None, address(2), S)) == 2
