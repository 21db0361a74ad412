"""An instance of IEEE 802.1AS under anything: the histories of every instance, and what only its neighbours send."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ptpstack.protocol.effects import CapabilityChanged, Effect, Send
from ptpstack.protocol.gptp.states import ROLES
from ptpstack.protocol.interval_requests import EVERYBODY
from ptpstack.protocol.options import GptpOptions
from ptpstack.protocol.states import ELECTING, FOLLOWING
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.messages import Announce, FollowUp, Signaling, Sync
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.ieee802_1as import (
    FollowUpInformation,
    GptpCapable,
    GptpCapableMessageIntervalRequest,
    MessageIntervalRequest,
)
from ptpstack.wire.types import PortState
from tests.protocol.bench import S
from tests.protocol.test_instance_anything import History, actions, classes

intervals = st.integers(-128, 127)
told = st.builds(
    FollowUpInformation,
    st.integers(-(1 << 31), (1 << 31) - 1),
    st.integers(0, 0xFFFF),
    st.integers(-(1 << 95), (1 << 95) - 1),
    st.integers(-(1 << 31), (1 << 31) - 1),
)
said = st.one_of(
    st.builds(GptpCapable, intervals),
    st.builds(GptpCapableMessageIntervalRequest, intervals),
    st.builds(MessageIntervalRequest, intervals, intervals, intervals),
)
more = st.one_of(
    actions,
    st.tuples(st.just("neighbor"), st.integers(0, 9), st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.just("relayed"), told, st.integers(-128, 127), st.integers(-(1 << 63), (1 << 63) - 1)),
    st.tuples(st.just("said"), st.integers(1, 4), said),
    st.tuples(st.just("commanded"), st.floats(-1e5, 1e5), st.integers(-(1 << 60), 1 << 60)),
)


class TimeAwareHistory(History):
    def __init__(self, role: str, count: int, clock_class: int, seed: int) -> None:
        def port_options(number: int) -> dict[str, Any]:
            gptp = GptpOptions(
                as_capable="assumed" if (seed + number) % 5 == 0 else "measured",
                # the frames of the histories take whole seconds where they like
                delay_threshold_ns=2e9,
                min_delay_ns=-2e9,
                # half of them ask sixteen times a second
                allowed_lost_responses=255 if seed % 2 else 9,
                allowed_faults=seed % 3,
                capable_messages=seed % 2 == 0,
                sync_receipt_timeout=seed % 4,
            )
            return {
                "delay_mechanism": "P2P",
                "gptp": gptp,
                "listen_first": False,
                "honour_interval_requests": True,
                "operational_log_sync_interval": -2,
                "operational_log_pdelay_req_interval": 1,
            }

        self.able: set[str] = set()
        variant: dict[str, Any] = {"bmca": "802.1AS", "path_trace": True, "domain": 0 if seed % 7 else 3}
        super().__init__(role, count, clock_class, seed, port_options, **variant)

    def do(self, effects: list[Effect]) -> None:
        able = {f"p{port.number}" for port in self.instance.ports if port.able}
        for effect in effects:
            if isinstance(effect, Send) and isinstance(decode(effect.octets), (Announce, Sync, FollowUp)):
                # one turn may send, and then learn what ends the port's ability
                assert effect.channel in able | self.able
            if isinstance(effect, CapabilityChanged):
                assert effect.capable == (effect.decision.code == "as-capable")
        self.able = able
        self.log += effects
        super().do([effect for effect in effects if not isinstance(effect, CapabilityChanged)])

    def play(self, action: tuple[Any, ...]) -> None:
        name, *a = action
        if name == "neighbor":
            # asCapable needs two answers a second apart
            for _ in range(a[2]):
                self.advance(self.now + S)
                port = self.port(a[1])
                asked = next((m for m in reversed(self.pdelay_requests) if m.source.port_number == port), None)
                if asked is not None:
                    peer = self.peers[a[0]]
                    self.frame(port, peer.pdelay_resp(asked, self.now))
                    self.frame(port, peer.pdelay_follow_up(asked, self.now + 5))
                    for token in self.tokens[-3:]:
                        self.do(self.instance.transmitted(token, self.now << 16, self.now))
        elif name == "relayed":
            found = self.parent()
            if found is not None:
                self.frame(found[1], found[0].sync(log_interval=a[1]))
                self.frame(found[1], found[0].follow_up(self.now - 900, tlvs=(a[0],), correction_sns=a[2]))
        elif name == "said":
            tlvs: tuple[Tlv, ...] = (a[1],)
            self.frame(a[0], encode(Signaling(self.peers[3].identity, 1, tlvs=tlvs, target=EVERYBODY)))
        elif name == "commanded":
            for port in self.instance.ports:
                port.local_clock.commanded(self.now << 16, a[0], a[1])
                break
            self.instance.clock_stepped(step_sns=a[1])
        else:
            super().play(action)
            return
        self.look()

    def look(self) -> None:
        instance = self.instance
        following = [p for p in instance.ports if p.state in FOLLOWING]
        assert len(following) <= 1
        assert (not instance.has_parent) == (not following)
        for port in instance.ports:
            assert port.state is self.states[port.number]
            assert port.state in port._table
            timers = set(port.timers)
            if not port.able:
                assert port.state not in ROLES
                assert len(port.foreign) == 0
                assert not {"announce", "sync", "announce-receipt", "sync-receipt"} & timers
            if port.state is not PortState.MASTER:
                assert not {"announce", "sync"} & timers
            if port.state in ELECTING:
                assert ("pdelay-req" in timers) != port.delay.stopped
            else:
                assert timers <= {"peer-recovery"}
        # a port that begins to serve at once has more to do at once
        for _ in range(3):
            self.do(instance.timer(self.now))
        deadline = instance.next_deadline()
        assert deadline is None or deadline > self.now


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    st.sampled_from(["full", "client", "server"]),
    st.integers(1, 4),
    classes,
    st.integers(0, 59),
    st.lists(more, min_size=5, max_size=60),
)
def test_what_must_always_hold_holds_of_a_time_aware_system(
    role: str, count: int, clock_class: int, seed: int, history: list[Any]
) -> None:
    logs = []
    for _ in range(2):
        run = TimeAwareHistory(role, count, clock_class, seed)
        for action in history:
            run.play(action)
        logs.append(run.log)
    assert logs[0] == logs[1]


def test_histories_reach_relays() -> None:
    """What is drawn above is not idle: a fixed history of the same actions has a Sync handed on."""
    run = TimeAwareHistory("full", 2, 248, 2)
    for port in (1, 2):
        run.play(("neighbor", port, port, 4))
    run.play(("announce", 1, 1, {"priority1": 1}, 1))
    assert [p.state for p in run.instance.ports] == [PortState.SLAVE, PortState.MASTER]
    for _ in range(4):
        run.play(("relayed", FollowUpInformation(5, 1, 2, 3), 0, 0))
        run.play(("stamp", len(run.tokens) - 1, "good"))
    handed_on = [m for m in map(decode, (e.octets for e in run.log if isinstance(e, Send))) if isinstance(m, FollowUp)]
    assert any(FollowUpInformation(m.tlvs[0].cumulative_scaled_rate_offset, 1, 2, 3) == m.tlvs[0] for m in handed_on)
