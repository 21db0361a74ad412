"""An Instance under anything: valid and hostile frames, stamps late, missing or twice, links, quality, steps.

A history is a list of actions, drawn at random; after each action everything that must always hold is looked at. The
same history is played twice: the same seed and the same inputs must give the same effects.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ptpstack.protocol.delay_auto import AutoDelay
from ptpstack.protocol.delay_common import CommonDelay
from ptpstack.protocol.delay_e2e import MAX_OUTSTANDING, E2EDelay
from ptpstack.protocol.delay_p2p import P2PDelay
from ptpstack.protocol.effects import (
    DelayMeasured,
    Effect,
    LinkDelayMeasured,
    ParentChanged,
    Send,
    StateChanged,
    SyncMeasured,
    SyncOverheard,
)
from ptpstack.protocol.instance import MAX_AWAITED_STAMPS, Instance
from ptpstack.protocol.options import InstanceOptions, PortOptions, TimeProperties
from ptpstack.protocol.pdelay_requester import ABSURD_SNS, MAX_RESPONDERS
from ptpstack.protocol.pdelay_responder import MAX_PENDING
from ptpstack.protocol.states import ELECTING, FOLLOWING, PortEvent
from ptpstack.wire.codec import decode
from ptpstack.wire.messages import DelayReq, PdelayReq
from ptpstack.wire.types import ClockQuality, PortState
from tests.protocol.bench import START, Peer, S, identity

CAPACITY = 6

classes = st.sampled_from([6, 7, 127, 128, 187, 248, 255])
ports = st.integers(1, 4)
peers = st.integers(0, 9)
stamps = st.sampled_from(["good", "none", "zero", "negative", "far"])
corrections = st.sampled_from([0, 1, -70000, 1 << 40, (1 << 63) - 1, -(1 << 63)])

announces = st.fixed_dictionaries(
    {},
    optional={
        "priority1": st.integers(0, 255),
        "quality": st.builds(ClockQuality, classes, st.just(0x21), st.just(0x4E5D)),
        "steps_removed": st.sampled_from([0, 1, 2, 254, 255, 65535]),
        "grandmaster": st.sampled_from([identity(1), identity(2), identity(0x50), bytes(8)]),
        "flags": st.integers(0, 0xFFFF),
        "current_utc_offset": st.integers(-32768, 32767),
        "log_interval": st.integers(-128, 127),
        "correction_sns": corrections,
    },
)
#: Pdelay_Resp (R) and its Follow_Up (F) as they may come
orders = st.sampled_from(["RF", "FR", "R", "F", "RRFF", "RFRF"])
actions = st.one_of(
    st.tuples(st.just("announce"), peers, ports, announces, st.integers(1, 3)),
    st.tuples(st.just("announce"), peers, ports, st.just({}), st.just(2)),
    st.tuples(st.just("parent-sync"), stamps, st.sampled_from([0, 0x200, 0x300]), corrections),
    st.tuples(st.just("parent-sync"), st.just("good"), st.just(0x200), st.just(0)),
    st.tuples(st.just("sync"), peers, ports, stamps, st.integers(0, 0xFFFF)),
    st.tuples(st.just("follow-up"), peers, ports, st.integers(0, 0xFFFF)),
    st.tuples(st.just("delay-req"), peers, ports, stamps, st.integers(0, 0xFFFF), corrections),
    st.tuples(st.just("delay-resp"), st.integers(0, 3), st.integers(-128, 127), corrections),
    st.tuples(st.just("pdelay-req"), peers, ports, stamps, st.integers(0, 0xFFFF), corrections, st.integers(1, 40)),
    st.tuples(st.just("pdelay-answer"), peers, st.integers(0, 3), st.sampled_from([0, 0x200]), corrections, orders),
    st.tuples(st.just("garbage"), ports, st.binary(min_size=34, max_size=90)),
    st.tuples(st.just("damaged"), peers, ports, st.integers(0, 63), st.integers(0, 255), st.integers(34, 80)),
    st.tuples(st.just("flood"), ports, st.integers(1, 30)),
    st.tuples(st.just("advance"), st.sampled_from([0, 1, S // 10, S, 3 * S, 10 * S])),
    st.tuples(st.just("advance"), st.sampled_from([S, 3 * S, 10 * S])),
    st.tuples(st.just("late"), st.integers(0, 20 * S)),
    st.tuples(st.just("stamp"), st.integers(0, 5), stamps),
    st.tuples(st.just("link"), ports, st.booleans()),
    st.tuples(st.just("enable"), ports, st.booleans()),
    st.tuples(st.just("quality"), classes, st.integers(0, 60)),
    st.tuples(st.just("priorities"), st.integers(0, 255), st.integers(0, 255)),
    st.tuples(st.just("locked"), st.booleans()),
    st.tuples(st.just("step")),
    st.tuples(st.just("initialize")),
)
roles = st.sampled_from(["full", "full", "full", "client", "server"])


MECHANISMS = ("P2P", "E2E", "AUTO", "COMMON_P2P")


class History:
    """Plays actions on an instance; ``log`` is every effect."""

    def __init__(
        self,
        role: str,
        count: int,
        clock_class: int,
        seed: int,
        port_options: Callable[[int], dict[str, Any]] = lambda number: {},
        **instance_options: Any,
    ) -> None:
        count = 1 if role == "client" else count
        self.role = role
        self.instance = Instance(
            InstanceOptions(
                "any",
                identity(0x50),
                tuple(
                    PortOptions(
                        f"p{n}",
                        foreign_master_capacity=CAPACITY,
                        server_only=role == "server" and n != 2,
                        # some ask often, some are patient: so that the caps are reached
                        log_min_delay_req_interval=-4 if seed % 2 else 0,
                        announce_receipt_timeout=10 if seed % 3 == 0 else 3,
                        log_min_pdelay_req_interval=-4 if seed % 2 else 0,
                        several_peers="fault" if seed % 5 < 2 else "discard",
                        **{"delay_mechanism": MECHANISMS[(seed // 2 + n) % 4], **port_options(n)},
                    )
                    for n in range(1, count + 1)
                ),
                quality=ClockQuality(clock_class, 0x21, 0x4E5D),
                client_only=role == "client",
                **instance_options,
            ),
            random.Random(seed),
        )
        self.peers = [Peer(n + 1, 1 + n % 2, priority1=100 + n) for n in range(9)] + [Peer(0x50, 3)]
        self.now = START
        self.log: list[Effect] = []
        self.tokens: list[int] = []
        self.seen_tokens: set[int] = set()
        self.requests: list[DelayReq] = []
        self.pdelay_requests: list[PdelayReq] = []
        self.states = {p.number: PortState.INITIALIZING for p in self.instance.ports}
        self.do(self.instance.start(self.now))

    def stamp(self, kind: str) -> int | None:
        return {"good": self.now << 16, "none": None, "zero": 0, "negative": -5, "far": 1 << 79}[kind]

    def port(self, number: int) -> int:
        return (number - 1) % len(self.instance.ports) + 1

    def frame(self, port: int, octets: bytes, stamp: str = "good") -> None:
        ingress = self.stamp(stamp) if octets[0] & 0x0F < 8 else None
        self.do(self.instance.receive(self.port(port), octets, ingress, "10.0.0.1", self.now))

    def advance(self, end: int) -> None:
        turns = 0
        while (deadline := self.instance.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.do(self.instance.timer(self.now))
            turns += 1
            assert turns < 3000, "the timers do not come to rest"
        self.now = end

    def parent(self) -> tuple[Peer, int] | None:
        port = self.instance.following_port
        sender = self.instance.data.parent.parent_port_identity
        peer = next((p for p in self.peers if p.identity == sender), None)
        return None if port is None or peer is None else (peer, port.number)

    def play(self, action: tuple[Any, ...]) -> None:
        name, *a = action
        instance = self.instance
        if name == "announce":
            for _ in range(a[3]):
                self.frame(a[1], self.peers[a[0]].announce(**a[2]))
        elif name == "flood":
            for n in range(a[1]):
                self.frame(a[0], Peer(1000 + n, priority1=255).announce())
        elif name == "parent-sync":
            found = self.parent()
            if found is not None:
                self.frame(found[1], found[0].sync(flags=a[1], correction_sns=a[2]), a[0])
                self.frame(found[1], found[0].follow_up(self.now - 1000))
        elif name == "sync":
            self.frame(a[1], self.peers[a[0]].sync(flags=a[3]), a[2])
        elif name == "follow-up":
            self.frame(a[1], self.peers[a[0]].follow_up(self.now, sequence_id=a[2]))
        elif name == "delay-req":
            self.frame(a[1], self.peers[a[0]].delay_req(flags=a[3], correction_sns=a[4]), a[2])
        elif name == "delay-resp":
            found = self.parent()
            if found is not None and self.requests:
                request = self.requests[-1 - a[0] % len(self.requests)]
                answer = found[0].delay_resp(request, self.now, log_interval=a[1], correction_sns=a[2])
                for _ in range(2):
                    self.frame(found[1], answer)
        elif name == "pdelay-req":
            for _ in range(a[5]):
                self.frame(a[1], self.peers[a[0]].pdelay_req(flags=a[3], correction_sns=a[4]), a[2])
        elif name == "pdelay-answer":
            if self.pdelay_requests:
                asked, peer = self.pdelay_requests[-1 - a[1] % len(self.pdelay_requests)], self.peers[a[0]]
                for part in a[4]:
                    answer = (
                        peer.pdelay_resp(asked, self.now, flags=a[2], correction_sns=a[3])
                        if part == "R"
                        else peer.pdelay_follow_up(asked, self.now + 5)
                    )
                    self.frame(asked.source.port_number, answer)
        elif name == "garbage":
            # the engine looks at version and domain before an instance sees a frame
            self.frame(a[0], bytes((a[1][0] & 0x0F, 0x12)) + a[1][2:4] + bytes(2) + a[1][6:])
        elif name == "damaged":
            octets = bytearray(self.peers[a[0]].announce())
            octets[a[2]] = a[3]
            octets[1] = 0x12
            self.frame(a[1], bytes(octets[: a[4]]))
        elif name == "advance":
            self.advance(self.now + a[0])
        elif name == "late":
            # the loop was blocked: many deadlines have passed at once
            self.now += a[0]
            self.do(instance.timer(self.now))
        elif name == "stamp":
            if self.tokens:
                token = self.tokens[a[0] % len(self.tokens)]
                if a[0] % 2:
                    self.tokens.remove(token)
                self.do(instance.transmitted(token, self.stamp(a[1]), self.now))
        elif name in ("link", "enable"):
            self.do(getattr(instance, name)(self.port(a[0]), a[1], self.now))
        elif name == "quality":
            quality = ClockQuality(a[0], 0x21, 0x4E5D)
            self.do(instance.set_quality(quality, TimeProperties(current_utc_offset=a[1]), self.now))
        elif name == "priorities":
            if instance.options.client_only:
                with pytest.raises(ValueError, match="client-only"):
                    instance.set_priorities(self.now, *a)
            else:
                self.do(instance.set_priorities(self.now, *a))
        elif name == "locked":
            self.do(instance.synchronised(a[0], self.now, "any"))
        elif name == "step":
            instance.clock_stepped()
        else:
            self.do(instance.initialize(self.now))
        self.look()

    def do(self, effects: list[Effect]) -> None:
        """Note effects, and see that each is one a driver can carry out."""
        began, told = False, False
        for effect in effects:
            self.log.append(effect)
            if isinstance(effect, Send):
                message = decode(effect.octets)
                number = int(effect.channel[1:])
                assert message.source == (identity(0x50), number)
                assert (effect.token is not None) == message.type.is_event
                if effect.token is not None:
                    assert effect.token not in self.seen_tokens
                    self.seen_tokens.add(effect.token)
                    self.tokens.append(effect.token)
                if isinstance(message, DelayReq):
                    self.requests.append(message)
                elif isinstance(message, PdelayReq):
                    self.pdelay_requests.append(message)
            elif isinstance(effect, StateChanged):
                assert effect.old is self.states[effect.port]
                table = self.instance.ports[effect.port - 1]._table
                assert table[effect.old][PortEvent(effect.event)] is effect.new
                self.states[effect.port] = effect.new
                assert sum(state in FOLLOWING for state in self.states.values()) <= 1
                began |= effect.new is PortState.UNCALIBRATED and effect.old is not PortState.SLAVE
                told &= effect.new in FOLLOWING or effect.old not in FOLLOWING
            elif isinstance(effect, ParentChanged):
                told = effect.new.port_number != 0 or told
            elif isinstance(effect, SyncOverheard):
                assert self.states[effect.port] is PortState.LISTENING
            else:
                assert isinstance(effect, (SyncMeasured, DelayMeasured, LinkDelayMeasured))
                assert self.states[effect.port] in FOLLOWING
                if isinstance(effect, LinkDelayMeasured):
                    assert abs(effect.delay_sns) < ABSURD_SNS
                else:
                    assert effect.parent == self.instance.data.parent.parent_port_identity
        if began and self.instance.following_port is not None:
            assert told or any(isinstance(e, ParentChanged) for e in effects)

    def look_at_master(self, timers: set[str]) -> None:
        assert {"announce", "sync"} == timers

    def look(self) -> None:
        """What must hold after every input."""
        instance = self.instance
        following = [p for p in instance.ports if p.state in FOLLOWING]
        assert len(following) <= 1
        assert len(instance._awaited) <= MAX_AWAITED_STAMPS
        parent = instance.data.parent.parent_port_identity
        assert (parent == (identity(0x50), 0)) == (not following)
        if any(p.state in ELECTING for p in instance.ports):
            assert instance.next_deadline() is not None
        for port in instance.ports:
            assert port.state is self.states[port.number]
            assert port.state in port._table
            assert len(port.foreign) <= CAPACITY
            timers = set(port.timers)
            delay = port.delay._used if isinstance(port.delay, AutoDelay) else port.delay
            if isinstance(delay, P2PDelay):
                assert len(delay.responder._pending) <= MAX_PENDING
                exchange = delay.requester._exchange
                assert exchange is None or len(exchange.answers) <= MAX_RESPONDERS
                assert abs(port.ds.mean_link_delay_sns) < ABSURD_SNS
                asks = not isinstance(delay, CommonDelay)
                assert ("pdelay-req" in timers) == (port.state in ELECTING and asks)
                timers -= {"pdelay-req", "peer-recovery", "pdelay-early"}
            else:
                assert isinstance(delay, E2EDelay)
                assert len(delay.requester._requests) <= MAX_OUTSTANDING
            if port.state is PortState.MASTER:
                self.look_at_master(timers)
            elif port.state is PortState.PRE_MASTER:
                assert timers == {"qualification"}
            elif port.state in ELECTING:
                # a port that is told to be silent waits for nobody
                assert "announce-receipt" in timers or port.options.desired_state == "passive"
            else:
                assert timers == set()
                assert len(port.foreign) == 0
        for port in following:
            assert port.foreign.get(parent) is not None
            assert instance.data.current.steps_removed >= 1
        if self.role == "client":
            assert instance.ports[0].state not in (PortState.MASTER, PortState.PRE_MASTER, PortState.PASSIVE)
        # a deadline that has passed does not stay due
        self.do(instance.timer(self.now))
        deadline = instance.next_deadline()
        assert deadline is None or deadline > self.now


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(roles, st.integers(1, 4), classes, st.integers(0, 9), st.lists(actions, min_size=5, max_size=80))
def test_what_must_always_hold(role: str, count: int, clock_class: int, seed: int, history: list[Any]) -> None:
    logs = []
    for _ in range(2):
        run = History(role, count, clock_class, seed)
        for action in history:
            run.play(action)
        logs.append(run.log)
    assert logs[0] == logs[1]


def test_histories_are_not_idle() -> None:
    """The histories above reach what they are meant to test: fixed ones drawn the same way visit every state."""
    rng = random.Random(3)
    visited: set[PortState] = set()
    kinds: set[type[Effect]] = set()
    for seed in range(200):
        run = History(rng.choice(["full", "client", "server"]), rng.randint(1, 4), rng.choice([6, 248]), seed)
        for _ in range(40):
            peer, port = rng.randint(0, 9), rng.randint(1, 4)
            run.play(
                rng.choice(
                    [
                        ("announce", peer, port, {"steps_removed": rng.randint(0, 2)}, 2),
                        ("announce", peer, port, {"grandmaster": identity(1), "priority1": 1}, 2),
                        ("parent-sync", "good", 0x200, 0),
                        ("advance", rng.choice([S, 3 * S, 10 * S])),
                        ("stamp", 1, "good"),
                        ("delay-resp", 0, 0, 0),
                        ("pdelay-answer", peer, 0, 0x200, 0, "RF"),
                        ("locked", rng.random() < 0.7),
                        ("link", port, rng.random() < 0.7),
                        ("enable", port, rng.random() < 0.7),
                    ]
                )
            )
            visited.update(run.states.values())
        kinds.update(type(e) for e in run.log)
    assert visited == set(PortState) - {PortState.INITIALIZING}
    assert kinds - {SyncOverheard} == {
        Send,
        SyncMeasured,
        DelayMeasured,
        LinkDelayMeasured,
        StateChanged,
        ParentChanged,
    }
