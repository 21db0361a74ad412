"""The short way of a Delay_Req gives what the general way gives, octet for octet, or nothing at all."""

from __future__ import annotations

import io
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ptpstack.engine.engine import Engine
from ptpstack.engine.plan import ClockPlan, EnginePlan, InstancePlan
from ptpstack.engine.trace import RecordedEngine
from ptpstack.protocol.effects import Send
from ptpstack.protocol.options import InstanceOptions, PortOptions
from ptpstack.wire.codec import encode
from ptpstack.wire.messages import DelayReq
from ptpstack.wire.types import PortIdentity, PortState

CHANNEL = "eth0/udp4"
OWN = bytes.fromhex("0200000000000001")
DOMAIN, SDO_ID = 24, 0x123
NOW = 10**9


def engine(cls: type[Engine] = Engine, *arguments: Any, serving: bool = True) -> Engine:
    port = PortOptions(CHANNEL, listen_first=not serving, ingress_latency_ns=12.625, log_min_delay_req_interval=-3)
    options = InstanceOptions("gm", OWN, (port,), domain=DOMAIN, sdo_id=SDO_ID)
    made = cls(EnginePlan((InstancePlan(options),), (ClockPlan("clock", False),)), *arguments)
    made.start(NOW)
    made.timer(NOW)
    assert (made.instances["gm"].ports[0].state is PortState.MASTER) is serving
    return made


def general(octets: bytes, ingress_sns: int | None, address: str) -> list[Send]:
    fresh = engine()
    # the port that knows no plain requests has only the general way
    fresh.instances["gm"].ports[0]._plain = frozenset()
    return [e for e in fresh.receive(CHANNEL, octets, ingress_sns, address, NOW) if isinstance(e, Send)]


def plain(made: Engine, octets: bytes, ingress_sns: int | None, address: str) -> tuple[bytes, str | None] | None:
    answerer = made.plain_answers(CHANNEL).get(octets[:6])
    return None if answerer is None else answerer(octets, ingress_sns, address)


def request(**changes: Any) -> bytes:
    fields: dict[str, Any] = {"domain": DOMAIN, "sdo_id": SDO_ID, "log_interval": 0x7F, **changes}
    return encode(DelayReq(fields.pop("source", PortIdentity(bytes(range(8)), 1)), 77, **fields))


SERVING = engine()
I64 = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.sampled_from([-(2**63), -(2**63) + 1, 2**63 - 2, 2**63 - 1, 0, -1])
)


@settings(max_examples=300, deadline=None)
@given(
    correction=I64,
    flags=st.integers(0, 0xFFFF),
    clock=st.one_of(st.binary(min_size=8, max_size=8), st.just(OWN)),
    port=st.one_of(st.integers(0, 0xFFFF), st.sampled_from([0, 1, 2, 0xFFFF])),
    sequence=st.integers(0, 0xFFFF),
    minor=st.integers(0, 15),
    nanoseconds=st.one_of(st.integers(0, 2**32 - 1), st.sampled_from([0, 999_999_999, 1_000_000_000])),
    ingress=st.one_of(st.none(), st.integers(0, (2**48 - 1) * 10**9 << 16)),
    tail=st.binary(max_size=4),
    cut=st.integers(0, 12),
)
def test_the_short_way_is_the_general_way(
    correction: int,
    flags: int,
    clock: bytes,
    port: int,
    sequence: int,
    minor: int,
    nanoseconds: int,
    ingress: int | None,
    tail: bytes,
    cut: int,
) -> None:
    octets = bytearray(request())
    octets[1] = minor << 4 | 2
    octets[6:8] = flags.to_bytes(2, "big")
    octets[8:16] = correction.to_bytes(8, "big", signed=True)
    octets[20:28] = clock
    octets[28:30] = port.to_bytes(2, "big")
    octets[30:32] = sequence.to_bytes(2, "big")
    octets[40:44] = nanoseconds.to_bytes(4, "big")
    # now and then cut short, or with something behind (which UDP and Ethernet may pad)
    frame = bytes(octets + tail)[: None if cut else 43]
    short = plain(SERVING, frame, ingress, "192.0.2.7")
    sends = general(frame, ingress, "192.0.2.7")
    if short is not None:
        assert [short] == [(s.octets, s.destination) for s in sends]
    else:
        assert not sends or ingress is None
    through = [e for e in SERVING.receive(CHANNEL, frame, ingress, "192.0.2.7", NOW) if isinstance(e, Send)]
    assert through == sends


def test_a_plain_request_does_take_the_short_way_and_is_counted_the_same() -> None:
    made = engine()
    port = made.instances["gm"].ports[0]
    ingress = 1_700_000_000 * 10**9 << 16
    for number in range(1, 4):
        assert plain(made, request(), ingress, "192.0.2.7") is not None
        assert (port.counters["rx-delay_req"], port.counters["tx-delay_resp"]) == (2 * number - 1, 2 * number - 1)
        made.receive(CHANNEL, request(), ingress, "192.0.2.7", NOW)
        assert (port.counters["rx-delay_req"], port.counters["tx-delay_resp"]) == (2 * number, 2 * number)


def test_other_domains_types_and_states_do_not() -> None:
    ingress = 1_700_000_000 * 10**9 << 16
    assert plain(SERVING, request(domain=25), ingress, "a") is None
    assert plain(SERVING, request(sdo_id=0x023), ingress, "a") is None
    assert plain(SERVING, request(sdo_id=0x124), ingress, "a") is None
    sync = bytearray(request())
    sync[0] &= 0xF0
    assert plain(SERVING, bytes(sync), ingress, "a") is None
    assert plain(engine(serving=False), request(), ingress, "a") is None
    assert SERVING.plain_answers("eth9/udp4") == {}


def test_a_recorded_engine_sees_every_frame() -> None:
    lines = io.StringIO()
    made = engine(RecordedEngine, lines)
    assert made.plain_answers(CHANNEL) == {}
    made.receive(CHANNEL, request(), 1_700_000_000 * 10**9 << 16, "a", NOW)
    assert '"receive"' in lines.getvalue()
