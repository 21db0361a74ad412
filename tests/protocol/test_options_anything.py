"""Every option switched on at once, under any history: what must hold of an instance holds with all of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ptpstack.protocol.interval_requests import EVERYBODY
from ptpstack.protocol.options import MONITORS, AcceptableMaster, AlternateTimescale, PowerOptions, SyncMetadataOptions
from ptpstack.wire.codec import encode
from ptpstack.wire.messages import Signaling
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.announce import PathTrace
from ptpstack.wire.tlvs.ieee802_1as import MessageIntervalRequest
from ptpstack.wire.tlvs.profiles import PowerProfile2017
from ptpstack.wire.types import Flag, PortState
from tests.protocol.bench import Peer, identity
from tests.protocol.test_instance_anything import History, actions, classes

CET = AlternateTimescale(1, "CET", ((0, 3600), (2_000_000_000, 7200)))
paths = st.lists(st.integers(0, 90).map(identity), max_size=140).map(lambda path: PathTrace(tuple(path)))
inaccuracies = st.integers(0, 0xFFFFFFFF).map(lambda ns: PowerProfile2017(1, total_time_inaccuracy_ns=ns))
requests = st.builds(
    MessageIntervalRequest,
    time_sync_interval=st.integers(-128, 127),
    announce_interval=st.integers(-128, 127),
)
more = st.one_of(
    actions,
    st.tuples(st.just("tlvs"), st.integers(0, 9), st.integers(1, 4), st.lists(paths | inaccuracies, max_size=3)),
    st.tuples(st.just("alternate"), st.integers(0, 9), st.integers(1, 4), st.integers(0, 255)),
    st.tuples(st.just("request"), st.integers(1, 4), requests),
    st.tuples(st.just("time"), st.integers(0, 3_000_000_000)),
)
VARIANTS = {
    "default": "full",
    "itu-alternate": "full",
    "external": "full",
    "g8265.1": "client",
}


class Everything(History):
    def __init__(self, bmca: str, count: int, clock_class: int, seed: int) -> None:
        desired = ("slave", "master", "passive", "slave")

        def port_options(number: int) -> dict[str, Any]:
            return {
                "desired_state": desired[(number + seed) % 4] if bmca == "external" else "",
                "announce": seed % 4 != 3,
                "honour_interval_requests": True,
                "operational_log_sync_interval": -2,
                "monitor": MONITORS,
                "monitor_events": 3,
                "alternate_masters": 2,
                "acceptable_masters_only": seed % 5 == 4,
                "local_priority": number,
            }

        super().__init__(
            VARIANTS[bmca],
            count,
            clock_class,
            seed,
            port_options,
            bmca=bmca,
            path_trace=True,
            acceptable_masters=tuple(AcceptableMaster(identity(n), local_priority=n) for n in range(1, 5)),
            alternate_timescales=(CET,),
            sync_metadata=SyncMetadataOptions(CET, daily_jam_s=7200),
            power=PowerOptions(2017, 5),
            wait_to_restore_s=5.0,
        )

    def look_at_master(self, timers: set[str]) -> None:
        assert timers <= {"announce", "sync", "sync-metadata"}
        assert "sync-metadata" in timers

    def play(self, action: tuple[Any, ...]) -> None:
        name, *a = action
        if name == "tlvs":
            tlvs: tuple[Tlv, ...] = tuple(a[2])
            for _ in range(2):
                self.frame(a[1], self.peers[a[0]].announce(tlvs=tlvs))
        elif name == "alternate":
            self.frame(a[1], self.peers[a[0]].announce(flags=Flag.ALTERNATE_MASTER, priority1=a[2]))
        elif name == "request":
            self.frame(a[0], encode(Signaling(Peer(3).identity, 1, tlvs=(a[1],), target=EVERYBODY)))
        elif name == "time":
            self.do(self.instance.tell_time(a[0], self.now))
        else:
            super().play(action)
            return
        self.look()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    st.sampled_from(sorted(VARIANTS)),
    st.integers(1, 4),
    classes,
    st.integers(0, 59),
    st.lists(more, min_size=5, max_size=60),
)
def test_what_must_always_hold_holds_with_every_option(
    bmca: str, count: int, clock_class: int, seed: int, history: list[Any]
) -> None:
    logs = []
    for _ in range(2):
        run = Everything(bmca, count, clock_class, seed)
        for action in history:
            run.play(action)
        if bmca == "external":
            for port in run.instance.ports:
                wanted = port.options.desired_state
                assert not (wanted == "passive" and port.state in (PortState.MASTER, PortState.SLAVE))
                assert not (wanted == "slave" and port.state is PortState.MASTER)
                assert not (wanted == "master" and port.state is PortState.SLAVE)
        logs.append(run.log)
    assert logs[0] == logs[1]


@pytest.mark.parametrize("bmca", sorted(VARIANTS))
def test_histories_follow_somebody(bmca: str) -> None:
    """What is drawn above is not idle: the fixed history reaches a port that follows, in each variant."""
    run = Everything(bmca, 2, 248, 2)
    for _ in range(6):
        for port in (1, 2):
            quality = {"quality": run.peers[0].fields["quality"]._replace(clock_class=84)}
            run.play(("announce", 0, port, {"priority1": 1, **quality}, 2))
        run.play(("advance", 10**9))
    assert run.instance.following_port is not None
