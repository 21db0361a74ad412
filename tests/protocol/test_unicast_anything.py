"""A port that serves and asks by unicast, and takes part in multicast, under anything.

A history is a list of actions; after each, what must always hold is looked at: caps, books that agree with each other,
no timer lost, nothing sent in states that say nothing. Played twice, it gives the same effects.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ptpstack.protocol.effects import Effect, Send, StateChanged
from ptpstack.protocol.grants import rate
from ptpstack.protocol.instance import Instance
from ptpstack.protocol.options import InstanceOptions, PortOptions, UnicastOptions, UnicastServer
from ptpstack.protocol.states import ELECTING
from ptpstack.protocol.timers import NEVER
from ptpstack.protocol.unicast_discovery import TIMER_DISCOVERY
from ptpstack.protocol.unicast_service import TIMER_SERVICE
from ptpstack.wire.codec import decode
from ptpstack.wire.messages import Announce, DelayReq, FollowUp, Signaling, Sync
from ptpstack.wire.tlvs.unicast import (
    AcknowledgeCancelUnicastTransmission,
    CancelUnicastTransmission,
    GrantUnicastTransmission,
    RequestUnicastTransmission,
)
from ptpstack.wire.types import ClockQuality, Flag, MessageType, PortState
from tests.protocol.bench import START, Peer, S, identity
from tests.protocol.unicast import signaling

ADDRESSES = [f"10.0.0.{n}" for n in range(8)]
#: the first two are servers of the port's table
SERVERS = ADDRESSES[:2]
OPTIONS = UnicastOptions(
    serve=True,
    servers=tuple(UnicastServer(address, 100 + n) for n, address in enumerate(SERVERS)),
    multicast=True,
    negotiation_required=True,
    max_clients=4,
    max_clients_per_address=2,
    max_rate=40,
    log_min_sync_interval=-4,
    min_duration_s=5,
    max_duration_s=40,
    duration_s=20,
)

peers = st.integers(0, 6)
addresses = st.integers(0, len(ADDRESSES) - 1)
kinds = st.sampled_from([0x0, 0x9, 0xB, 0x0, 0x9, 0xB, 0x3, 0x5, 0xF])
logs = st.sampled_from([0, -1, -4, -7, 1, 4, -30, 30, -128, 127])
durations = st.sampled_from([0, 4, 5, 20, 41, 1000, 2**32 - 1])
nibbles = st.integers(0, 15)
tlvs = st.one_of(
    st.builds(RequestUnicastTransmission, kinds, logs, durations, nibbles),
    st.builds(RequestUnicastTransmission, kinds, st.sampled_from([0, -2]), st.just(20)),
    st.builds(GrantUnicastTransmission, kinds, logs, durations, st.integers(0, 255)),
    st.builds(CancelUnicastTransmission, kinds, nibbles),
    st.builds(AcknowledgeCancelUnicastTransmission, kinds, nibbles),
)
actions = st.one_of(
    st.tuples(st.just("signaling"), peers, addresses, st.lists(tlvs, min_size=1, max_size=12)),
    st.tuples(st.just("signaling"), peers, addresses, st.lists(tlvs, min_size=1, max_size=3)),
    st.tuples(st.just("flood"), st.integers(1, 400), kinds),
    # a server that behaves: it grants what was asked last
    st.tuples(st.just("grant"), st.integers(0, 1), durations, st.sampled_from([0, 2, -3])),
    st.tuples(st.just("grant"), st.integers(0, 1), st.just(20), st.just(0)),
    st.tuples(st.just("announce"), peers, addresses, st.booleans(), st.integers(1, 2)),
    st.tuples(st.just("server-announce"), st.integers(0, 1), st.integers(1, 2)),
    st.tuples(st.just("sync"), peers, addresses, st.booleans()),
    st.tuples(st.just("delay-req"), peers, addresses, st.booleans()),
    st.tuples(st.just("advance"), st.sampled_from([0, S // 100, S, 3 * S, 25 * S])),
    st.tuples(st.just("late"), st.integers(0, 50 * S)),
    st.tuples(st.just("stamp"), st.integers(0, 5), st.booleans()),
    st.tuples(st.just("stamps"), st.booleans()),
    st.tuples(st.just("link"), st.booleans()),
    st.tuples(st.just("enable"), st.booleans()),
    st.tuples(st.just("quality"), st.sampled_from([6, 248])),
    st.tuples(st.just("step")),
    st.tuples(st.just("initialize")),
)


class History:
    def __init__(self, clock_class: int, seed: int) -> None:
        self.instance = Instance(
            InstanceOptions(
                "any",
                identity(0x50),
                (PortOptions("p1", listen_first=bool(seed % 2), unicast=OPTIONS),),
                quality=ClockQuality(clock_class, 0x21, 0x4E5D),
            ),
            random.Random(seed),
        )
        self.port = self.instance.ports[0]
        self.peers = [Peer(n + 1, 1 + n % 2, priority1=90 + n) for n in range(7)]
        self.now = START
        self.log: list[Effect] = []
        self.tokens: list[int] = []
        self.state = PortState.INITIALIZING
        #: what was asked of each server last
        self.asked: dict[str, list[int]] = {}
        self.do(self.instance.start(self.now))

    def frame(self, octets: bytes, address: str) -> None:
        ingress = self.now << 16 if octets[0] & 0x0F < 8 else None
        self.do(self.instance.receive(1, octets, ingress, address, self.now))

    def play(self, action: tuple[Any, ...]) -> None:
        name, *a = action
        instance = self.instance
        if name == "signaling":
            self.frame(signaling(self.peers[a[0]], *a[2]), ADDRESSES[a[1]])
        elif name == "flood":
            for n in range(a[0]):
                peer = Peer(1000 + n)
                self.frame(signaling(peer, RequestUnicastTransmission(a[1], -7, 1000)), f"10.9.{n // 250}.{n % 250}")
        elif name == "grant":
            address = SERVERS[a[0]]
            grants = [GrantUnicastTransmission(kind, a[2], a[1], 1) for kind in self.asked.pop(address, [])]
            if grants:
                self.frame(signaling(self.peers[a[0]], *grants), address)
        elif name == "announce":
            for _ in range(a[3]):
                self.frame(self.peers[a[0]].announce(flags=Flag.UNICAST if a[2] else 0), ADDRESSES[a[1]])
        elif name == "server-announce":
            for _ in range(a[1]):
                self.frame(self.peers[a[0]].announce(flags=Flag.UNICAST), SERVERS[a[0]])
        elif name == "sync":
            flags = Flag.TWO_STEP | (Flag.UNICAST if a[2] else 0)
            self.frame(self.peers[a[0]].sync(flags=flags), ADDRESSES[a[1]])
            self.frame(self.peers[a[0]].follow_up(self.now, flags=flags & Flag.UNICAST), ADDRESSES[a[1]])
        elif name == "delay-req":
            self.frame(self.peers[a[0]].delay_req(flags=Flag.UNICAST if a[2] else 0), ADDRESSES[a[1]])
        elif name == "advance":
            self.advance(self.now + a[0])
        elif name == "late":
            self.now += a[0]
            self.do(instance.timer(self.now))
        elif name == "stamp":
            if self.tokens:
                token = self.tokens.pop(a[0] % len(self.tokens))
                self.do(instance.transmitted(token, self.now << 16 if a[1] else None, self.now))
        elif name == "stamps":
            tokens, self.tokens = self.tokens, []
            for token in tokens:
                self.do(instance.transmitted(token, self.now << 16 if a[0] else None, self.now))
        elif name in ("link", "enable"):
            self.do(getattr(instance, name)(1, a[0], self.now))
        elif name == "quality":
            quality = ClockQuality(a[0], 0x21, 0x4E5D)
            self.do(instance.set_quality(quality, instance.data.own_time_properties, self.now))
        elif name == "step":
            instance.clock_stepped()
        else:
            self.do(instance.initialize(self.now))
        self.look()

    def advance(self, end: int) -> None:
        turns = 0
        while (deadline := self.instance.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.do(self.instance.timer(self.now))
            turns += 1
            assert turns < 6000, "the timers do not come to rest"
        self.now = end

    def do(self, effects: list[Effect]) -> None:
        for effect in effects:
            self.log.append(effect)
            if isinstance(effect, StateChanged):
                self.state = effect.new
            if not isinstance(effect, Send):
                continue
            message = decode(effect.octets)
            # HDR-14: the flag says what the address is
            assert bool(message.flags & Flag.UNICAST) == (effect.destination is not None)
            if effect.token is not None:
                self.tokens.append(effect.token)
            if isinstance(message, Announce | Sync | FollowUp):
                assert self.state is PortState.MASTER
            if isinstance(message, DelayReq):
                assert self.port.following
                assert effect.destination in (None, *SERVERS)
            if isinstance(message, Signaling):
                assert self.state in ELECTING
                requests = [t.message_type for t in message.tlvs if isinstance(t, RequestUnicastTransmission)]
                if requests:
                    assert effect.destination in SERVERS
                    self.asked.setdefault(str(effect.destination), []).extend(requests)
                for tlv in message.tlvs:
                    if isinstance(tlv, GrantUnicastTransmission) and tlv.duration_s:
                        assert self.state is PortState.MASTER
                        assert OPTIONS.min_duration_s <= tlv.duration_s <= OPTIONS.max_duration_s

    def look(self) -> None:
        port, service, discovery = self.port, self.port.unicast_service, self.port.unicast_discovery
        assert service is not None
        assert discovery is not None
        grants = service.grants
        contracts = list(grants)
        # caps
        assert len(grants.clients) <= OPTIONS.max_clients
        per_address = Counter(client.address for client in grants.clients.values())
        assert max(per_address.values(), default=0) <= OPTIONS.max_clients_per_address
        assert grants.rate == sum(rate(contract.log_interval) for contract in contracts) <= OPTIONS.max_rate
        assert all(c.log_interval >= OPTIONS.log_min_sync_interval for c in contracts if c.kind is MessageType.SYNC)
        # books that agree
        assert {address: len(clients) for address, clients in grants._at.items()} == dict(per_address)
        assert all(client.contracts for client in grants.clients.values())
        assert len(service._agenda) == len(contracts)
        assert all(contract in service._agenda for contract in contracts)
        assert len(service._agenda._heap) <= 2 * len(contracts) + 65
        # no timer lost
        down = port.state not in ELECTING
        if contracts and port.state in (PortState.MASTER, PortState.PASSIVE, PortState.UNCALIBRATED, PortState.SLAVE):
            assert TIMER_SERVICE in port.timers
        if port.state is PortState.DISABLED:
            assert not contracts
        if down:
            assert not port.timers
        else:
            assert TIMER_DISCOVERY in port.timers
            for server in discovery.servers.values():
                for wish in server.wishes.values():
                    pending = wish.wanted or wish.cancels > 0 or wish.due_ns < NEVER
                    assert ((server, wish) in discovery._agenda) == pending
                    assert wish.cancels <= 3
        selected = discovery.selected
        assert (selected is not None) <= port.following
        if selected is not None:
            assert self.instance.data.parent.protocol_address == selected.address
            assert all(wish.wanted for wish in selected.wishes.values())
        others = [s for s in discovery.servers.values() if s is not selected]
        assert not any(w.wanted for s in others for k, w in s.wishes.items() if k is not MessageType.ANNOUNCE) or down
        # views are made of anything
        service.view(self.now)
        discovery.view(self.now)
        # what a timer leads to may be due at once, and then no more
        for _ in range(4):
            self.do(self.instance.timer(self.now))
        deadline = self.instance.next_deadline()
        assert deadline is None or deadline > self.now


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.sampled_from([6, 248]), st.integers(0, 9), st.lists(actions, min_size=5, max_size=60))
def test_what_must_always_hold(clock_class: int, seed: int, history: list[Any]) -> None:
    logs = []
    for _ in range(2):
        run = History(clock_class, seed)
        for action in history:
            run.play(action)
        logs.append(run.log)
    assert logs[0] == logs[1]


def test_histories_are_not_idle() -> None:
    """Fixed ones, drawn the same way, reach what the others are meant to test."""
    rng = random.Random(5)
    visited: set[PortState] = set()
    counters: Counter[str] = Counter()
    selected = 0
    for seed in range(40):
        run = History(rng.choice([6, 248]), seed)
        for _ in range(60):
            number = rng.randint(2, 3)
            run.play(
                rng.choice(
                    [
                        (
                            "signaling",
                            number,
                            number,
                            [RequestUnicastTransmission(rng.choice([0, 9, 11]), 0, 20)],
                        ),
                        (
                            "signaling",
                            number,
                            number,
                            [CancelUnicastTransmission(rng.choice([0, 9, 11]))],
                        ),
                        ("grant", rng.randint(0, 1), 20, 0),
                        ("grant", rng.randint(0, 1), 20, 0),
                        ("server-announce", rng.randint(0, 1), 2),
                        ("advance", rng.choice([S // 100, S, 3 * S])),
                        ("flood", 5, 0),
                        ("stamps", rng.random() < 0.8),
                        ("link", rng.random() < 0.8),
                        ("initialize",) if rng.random() < 0.1 else ("step",),
                    ]
                )
            )
            visited.add(run.port.state)
            discovery = run.port.unicast_discovery
            selected += discovery is not None and discovery.selected is not None
        counters.update(run.port.counters)
    assert visited >= {
        PortState.MASTER,
        PortState.PASSIVE,
        PortState.UNCALIBRATED,
        PortState.FAULTY,
        PortState.LISTENING,
    }
    assert selected > 20
    for name in ("unicast-granted", "unicast-cancelled", "unicast-refused-clients", "unicast-not-requested"):
        assert counters[name], name
