"""An Engine on a bench: clocks that are plain numbers, readings that a test sets, everything it asked for."""

from __future__ import annotations

from typing import Any

from ptpstack.clocks.base import ClockError
from ptpstack.engine.driver import ClockLook, carry_out
from ptpstack.engine.effects import DeclareClock, EngineEffect, Event, KeepSettings
from ptpstack.engine.engine import Engine
from ptpstack.engine.plan import ClockPlan, EnginePlan, InstancePlan, ReferencePlan
from ptpstack.engine.trace import METHODS
from ptpstack.protocol.effects import Send, SendLocal
from ptpstack.protocol.options import InstanceOptions, PortOptions
from ptpstack.wire.codec import decode
from ptpstack.wire.messages import Announce, DelayReq, FollowUp
from tests.protocol.bench import START, Peer, S, identity


def instance(
    name: str, *, clock: str = "clock", channel: str = "p1", arb_is: str = "unknown", **options: Any
) -> InstancePlan:
    port = PortOptions(channel, **options.pop("port", {}))
    ports = options.pop("ports", (port,))
    options = {"clock_identity": identity(0x50), **options}
    return InstancePlan(InstanceOptions(name=name, ports=ports, clock=clock, **options), arb_is=arb_is)


def plan(*instances: InstancePlan, references: tuple[ReferencePlan, ...] = (), **fields: Any) -> EnginePlan:
    names = dict.fromkeys([c for i in instances for c in i.options.clocks] + [r.clock for r in references])
    names |= dict.fromkeys(name for e in fields.get("edges", ()) for name in (e.source, e.clock))
    fields = {"clocks": tuple(ClockPlan(name) for name in names), "seed": 1, **fields}
    return EnginePlan(instances=instances, references=references, **fields)


class Table:
    """Hands (engine.driver.Hands): clocks run at the true rate plus their error, which commands change."""

    def __init__(self, engine_plan: EnginePlan, *, ptp_s: int = 0, engine: Engine | None = None) -> None:
        self.engine = engine if engine is not None else Engine(engine_plan)
        self.now = START
        #: PTP time of perfect clocks at ``now`` 0, ns
        self.epoch_ns = ptp_s * S - START if ptp_s else 0
        self.error_ns = {c.name: 0.0 for c in engine_plan.clocks}
        self.frequency = {c.name: 0.0 for c in engine_plan.clocks}
        #: what the clocks run wrong by themselves, ppb
        self.oscillator = {c.name: 0.0 for c in engine_plan.clocks}
        self.effects: list[tuple[int, EngineEffect]] = []
        self.broken: set[str] = set()
        #: clocks whose reference gives no reading just now
        self.mute: set[str] = set()
        #: what the kernel was told last, by clock
        self.declared: dict[str, DeclareClock] = {}
        #: how far the time of day may be off, ns (None: unknown), and how far it is
        self.tod_bound_ns: float | None = 1e6
        self.tod_error_ns = 0.0
        #: what waits for an answer: channel, request, perfect time at which it left
        self.requests: list[tuple[str, DelayReq, int]] = []

    # ---- hands ------------------------------------------------------------------------------------------------

    def send(self, send: Send, now: int) -> None:
        message = decode(send.octets)
        if isinstance(message, DelayReq):
            self.requests.append((send.channel, message, self.epoch_ns + self.now))
        if send.token is not None:
            owner = next(
                i for i in self.engine.instances.values() if i.options.domain == message.domain
                and i.options.sdo_id == message.sdo_id and any(p.channel == send.channel for p in i.ports)
            )  # fmt: skip
            port = next(p for p in owner.ports if p.channel == send.channel)
            clock = owner.options.clock_of(port.options)
            self.carry(self.engine.transmitted(send.token, self.clock_sns(clock), self.now))

    def send_local(self, send: SendLocal) -> None:
        pass

    def keep_settings(self, settings: KeepSettings, now: int) -> None:
        pass

    def set_frequency(self, clock: str, ppb: float) -> float:
        self._check(clock)
        self.frequency[clock] = ppb
        return ppb

    def step(self, clock: str, delta_sns: int) -> None:
        self._check(clock)
        self.error_ns[clock] += delta_sns / 65536

    def clock_sns(self, clock: str) -> int:
        return (self.epoch_ns + self.now << 16) + round(self.error_ns[clock] * 65536)

    def clock_frequency(self, clock: str) -> float:
        return self.frequency[clock]

    def look(self, clock: str, now: int) -> ClockLook:
        self._check(clock)
        return ClockLook(self.clock_sns(clock), now, self.frequency[clock])

    def read_pair(self, source: str, clock: str, samples: int) -> tuple[int, int, float]:
        self._check(source)
        self._check(clock)
        return self.clock_sns(clock), self.clock_sns(source), 10.0

    def read_time_of_day(self, clock: str) -> tuple[int, int, float | None] | None:
        truth = self.epoch_ns + self.now << 16
        return self.clock_sns(clock), truth + round(self.tod_error_ns * 65536), self.tod_bound_ns

    def declare(self, declaration: DeclareClock) -> None:
        self.declared[declaration.clock] = declaration

    def read_reference(self, clock: str) -> tuple[int, int, float] | None:
        self._check(clock)
        if clock in self.mute:
            return None
        return self.clock_sns(clock), self.epoch_ns + self.now << 16, 10.0

    def clock_failed(self, clock: str, error: ClockError) -> None:
        pass

    def event(self, event: Event, now: int) -> None:
        pass

    def _check(self, clock: str) -> None:
        if clock in self.broken:
            raise ClockError(5, f"{clock}: the device is gone")

    # ---- driving ----------------------------------------------------------------------------------------------

    def carry(self, effects: list[EngineEffect]) -> list[EngineEffect]:
        # events and sends included: what the engine asked for, in order
        self.effects += [(self.now, e) for e in effects]
        carry_out(_Noting(self), effects, self, self.now)  # type: ignore[arg-type]
        return effects

    def start(self) -> None:
        self.carry(self.engine.start(self.now, dict.fromkeys(self.frequency, 0.0)))

    def to(self, when: int) -> None:
        for name, ppb in self.frequency.items():
            self.error_ns[name] += (when - self.now) * (ppb + self.oscillator[name]) * 1e-9
        self.now = when

    def run(self, seconds: float) -> None:
        end = self.now + round(seconds * S)
        turns = 0
        while (deadline := self.engine.next_deadline()) is not None and deadline <= end:
            self.to(max(self.now, deadline))
            self.carry(self.engine.timer(self.now))
            turns += 1
            assert turns < 100_000, "the timers do not come to rest"
        self.to(end)

    def receive(self, octets: bytes, channel: str = "p1", clock: str = "clock") -> list[EngineEffect]:
        stamp = self.clock_sns(clock) if octets[0] & 0x0F < 8 else None
        return self.carry(self.engine.receive(channel, octets, stamp, "10.0.0.1", self.now))

    def announce(self, peer: Peer, channel: str = "p1", times: int = 2, **fields: Any) -> None:
        for _ in range(times):
            self.receive(peer.announce(**fields), channel)

    def serve(self, peer: Peer, seconds: int, channel: str = "p1", clock: str = "clock", **fields: Any) -> None:
        """The peer serves perfect time for a while: Announce, Sync, answers to Delay_Req, all without path delay."""
        for _ in range(seconds):
            domain = {k: fields[k] for k in ("domain", "sdo_id") if k in fields}
            self.receive(peer.announce(**fields), channel, clock)
            truth = self.epoch_ns + self.now
            self.receive(peer.sync(**domain), channel, clock)
            self.receive(peer.follow_up(truth, **domain), channel, clock)
            self.run(0.001)
            self.answer(peer, channel, clock, **fields)
            self.run(0.999)

    def answer(self, peer: Peer, channel: str = "p1", clock: str = "clock", error_ns: int = 0, **fields: Any) -> None:
        """The peer answers the requests of its domain; its clock is ``error_ns`` ahead of perfect time."""
        domain = {k: fields[k] for k in ("domain", "sdo_id") if k in fields}
        for item in self.requests[:]:
            if item[0] == channel and item[1].domain == fields.get("domain", 0):
                self.requests.remove(item)
                self.receive(peer.delay_resp(item[1], item[2] + error_ns, **domain), channel, clock)

    # ---- what came out ----------------------------------------------------------------------------------------

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [e.data for _, e in self.effects if isinstance(e, Event) and e.kind == kind]

    def commands(self, kind: type[Any]) -> list[Any]:
        return [e for _, e in self.effects if isinstance(e, kind)]

    def announces(self) -> list[tuple[int, Announce]]:
        found = []
        for when, effect in self.effects:
            if isinstance(effect, Send) and effect.octets[0] & 0x0F == 0xB:
                message = decode(effect.octets)
                assert isinstance(message, Announce)
                found.append((when, message))
        return found

    def precise_origins(self) -> list[int]:
        """preciseOriginTimestamp of every Follow_Up sent, ns."""
        messages = [decode(e.octets) for _, e in self.effects if isinstance(e, Send) and e.octets[0] & 0x0F == 8]
        return [m.precise_origin_ns for m in messages if isinstance(m, FollowUp)]

    def clear(self) -> None:
        self.effects.clear()


class _Noting:
    """The engine, as ``carry_out`` sees it: what its answers ask for is noted too."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._table.engine, name)
        if name not in METHODS:
            return method

        def noted(*arguments: Any) -> list[EngineEffect]:
            effects: list[EngineEffect] = method(*arguments)
            self._table.effects += [(self._table.now, e) for e in effects]
            return effects

        return noted
