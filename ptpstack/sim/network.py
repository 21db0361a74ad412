"""Nodes and segments: engines driven by events instead of sockets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ptpstack.clocks.simulated import SimulatedClock
from ptpstack.engine.driver import ClockHands, carry_out
from ptpstack.engine.effects import EngineEffect, Event
from ptpstack.engine.engine import Engine
from ptpstack.engine.short_cuts import PlainAnswer
from ptpstack.protocol.effects import ONE_STEP, PEER_DELAY, Send
from ptpstack.protocol.timers import NEVER
from ptpstack.sim.delays import PathDelay
from ptpstack.sim.one_step import OneStepNic
from ptpstack.sim.world import World

#: A transmit stamp comes back this much later than the frame left.
STAMP_LATENCY_NS = 2_000


class SimNode(ClockHands):
    """One engine with its simulated clocks. Events are kept in ``events`` as (elapsed s, event)."""

    clocks: dict[str, SimulatedClock]

    def __init__(self, world: World, name: str, engine: Engine, clocks: dict[str, SimulatedClock]) -> None:
        self.world = world
        self.name = name
        self.engine = engine
        self.clocks = clocks
        self.segments: dict[str, Segment] = {}
        self.events: list[tuple[float, Event]] = []
        #: lost transmit stamps: called for each event message, True = the stamp never comes
        self.lose_stamp: Callable[[], bool] | None = None
        #: reference readings: (error, what it may be at most), ns
        self.reference_error: Callable[[], tuple[float, float]] | None = None
        #: told after each command to a clock
        self.on_frequency: Callable[[str], None] | None = None
        self.running = False
        #: by channel: the clock that stamps there
        self._stamping = {
            port.channel: clocks[plan.options.clock_of(port)]
            for plan in engine.plan.instances
            for port in plan.options.ports
        }
        #: channels whose frames the NIC completes
        self.one_step: dict[str, OneStepNic] = {}
        #: transmit stamps of what was just sent: (token, stamp)
        self._stamps: list[tuple[int, int | None]] = []
        #: what is sent now leaves this much later
        self.late_ns = 0
        self._answers: dict[str, dict[bytes, PlainAnswer]] = {}
        #: when the engine is woken next, and for when wake-ups are in the world's queue (elapsed ns)
        self._wakes_at = NEVER
        self._queued: set[int] = set()
        #: what a node has in its drift file when it is stopped, and when that was
        self._kept: dict[str, Any] = {}
        self._stopped_ns = 0

    def start(self, at_s: float = 0.0) -> None:
        self.world.after_start(at_s, self._begin)

    def _begin(self) -> None:
        self.running = True
        self._answers = {channel: self.engine.plain_answers(channel) for channel in self.segments}
        frequencies = {name: clock.frequency_ppb() for name, clock in self.clocks.items()}
        now = self.world.elapsed_ns
        for channel, nic in self.one_step.items():
            able = "p2p" if nic.pdelay else "sync"
            self.engine.channel_facts(channel, "hardware", None, b"", "", now, able)
        self.perform(self.engine.start(now, frequencies))

    def stop(self) -> None:
        """Nothing is sent or received any more; what was learnt is kept, as in a node's drift file."""
        self._kept, self._stopped_ns = self.engine.keep(self.world.elapsed_ns), self.world.elapsed_ns
        self.running = False
        self._wakes_at = NEVER

    def perform(self, effects: list[EngineEffect]) -> None:
        """Carry out effects in order, hand over the stamps of what was sent, look when the engine wants to be woken.

        A stamp comes at once, for an event saved; what is sent because of it leaves as much later as the stamp would.
        """
        if effects:
            now = self.world.elapsed_ns
            carry_out(self.engine, effects, self, now)
            while self._stamps:
                stamps, self._stamps = self._stamps, []
                self.late_ns = STAMP_LATENCY_NS
                for token, stamp in stamps:
                    more = self.engine.transmitted(token, stamp, now)
                    if more:
                        carry_out(self.engine, more, self, now)
                self.late_ns = 0
        deadline = self.engine.next_deadline()
        if deadline is not None and deadline < self._wakes_at:
            self._wakes_at = deadline
            # often it was wanted before, and something else came up that was earlier
            if deadline not in self._queued:
                self._queued.add(deadline)
                self.world.at(self.world.start_ns + deadline, self._wake, deadline)

    # ---- hands (engine.driver.Hands) --------------------------------------------------------------------------

    def read_reference(self, clock: str) -> tuple[int, int, float] | None:
        error, bound = self.reference_error() if self.reference_error is not None else (0.0, 0.0)
        simulated = self.clocks[clock]
        return simulated.now_sns(), simulated.truth_sns() - round(error * 65536), bound

    def set_frequency(self, clock: str, ppb: float) -> float:
        taken = self.clocks[clock].set_frequency(ppb)
        if self.on_frequency is not None:
            self.on_frequency(clock)
        return taken

    def read_temperature(self, clock: str) -> float | None:
        return self.clocks[clock].celsius()

    def event(self, event: Event, now: int) -> None:
        self.events.append((now / 1e9, event))

    def send(self, send: Send, now: int) -> None:
        channel, octets, destination, token = send
        if token == ONE_STEP:
            octets = self.one_step[channel].leaves(octets, self._stamping[channel].stamp_sns(self.world.now_ns))
        elif token is not None:
            lost = self.lose_stamp is not None and self.lose_stamp()
            self._stamps.append((token, None if lost else self._stamping[channel].stamp_sns(self.world.now_ns)))
        segment = self.segments.get(channel)
        if segment is not None:
            segment.carry(self, octets, destination, self.world.now_ns)

    def _wake(self, at: int) -> None:
        self._queued.remove(at)
        if at != self._wakes_at or not self.running:
            return
        self._wakes_at = NEVER
        self.perform(self.engine.timer(self.world.elapsed_ns))

    def deliver(self, channel: str, octets: bytes, source: str) -> None:
        if not self.running:
            return
        stamp = None
        segment = self.segments[channel]
        if octets[0] & 0x0F < 8:
            now_ns = segment.world.now_ns
            stamp = self._stamping[channel].stamp_sns(now_ns)
            if channel in self.one_step:
                self.one_step[channel].received(octets, stamp)
            answer_plain = self._answers.get(channel, {}).get(octets[:6])
            if answer_plain is not None:
                answer = answer_plain(octets, stamp, source)
                if answer is not None:
                    # as the node does it: nothing else changes by an answer, so no deadline does
                    segment.carry(self, *answer, now_ns)
                    return
        if segment.world is self.world:
            self.perform(self.engine.receive(channel, octets, stamp, source, self.world.elapsed_ns))

    def set_link(self, channel: str, up: bool) -> None:
        self.perform(self.engine.link(channel, up, self.world.elapsed_ns))

    def restart(self) -> None:
        """The same plan in a new engine, with what was kept; the clocks have run on."""
        self.engine = Engine(self.engine.plan)
        self._begin()
        now = self.world.elapsed_ns
        age_s = (now - self._stopped_ns) / 1e9
        self.perform(self.engine.resume({name: {**entry, "age_s": age_s} for name, entry in self._kept.items()}, now))

    def error_ns(self, clock: str | None = None) -> float:
        """True error of a clock (the first by default), ns."""
        name = clock if clock is not None else next(iter(self.clocks))
        return self.clocks[name].error_sns() / 65536.0


@dataclass(slots=True)
class Segment:
    """A broadcast domain: what one member sends reaches all others, each by its own path.

    ``world`` is where frames arrive: that of the members, the lowest when they are not all in one. What arrives from
    there at a member above is answered as of that moment or dropped: nothing from below changes what is above.
    """

    world: World
    name: str = "segment"
    members: list[tuple[SimNode, str]] = field(default_factory=list)
    paths: dict[tuple[str, str], PathDelay] = field(default_factory=dict)
    default: PathDelay = field(default_factory=PathDelay)
    #: sees every frame: (elapsed ns, sender, octets)
    tap: Callable[[int, str, bytes], None] | None = None

    def attach(self, node: SimNode, channel: str) -> None:
        self.members.append((node, channel))
        node.segments[channel] = self

    def carry(self, sender: SimNode, octets: bytes, destination: str | None, now_ns: int) -> None:
        """``sender`` sends at ``now_ns``."""
        world = self.world
        name = sender.name
        elapsed_ns = now_ns - world.start_ns
        if self.tap is not None:
            self.tap(elapsed_ns, name, octets)
        leaves_ns = now_ns + sender.late_ns
        elapsed_s = elapsed_ns / 1e9
        paths = self.paths
        for node, channel in self.members:
            if node is sender or (destination is not None and destination not in (PEER_DELAY, node.name)):
                continue
            delay = paths.get((name, node.name), self.default).draw_ns(elapsed_s)
            if delay is not None:
                world.at(leaves_ns + delay, node.deliver, channel, octets, name)
