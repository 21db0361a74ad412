"""The clock graph at work: measurements in, commands out, and whose commands count (policy: discipline.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from ptpstack.engine.discipline import PROOF_SAMPLES, SILENT_AT_LEAST_NS, Edge, SteeredClock
from ptpstack.engine.effects import EngineEffect, Event, SetFrequency, StepClock
from ptpstack.protocol.timers import NEVER
from ptpstack.servo.base import Command, Servo, ServoState
from ptpstack.timebase.estimate import Estimate
from ptpstack.timebase.units import SNS_PER_S

#: After this many commands in a row that a clock refused, over at least this time, it is left alone for a while.
REFUSALS = 3
REFUSING_NS = 2_000_000_000
RETRY_NS = 10_000_000_000
#: PTP seconds beyond which no step leads: a Timestamp has 48 bits, and nobody lives at its end.
LATEST_S = 1 << 40
#: States in which a servo can vouch for its clock.
TRUSTED = (ServoState.LOCKED, ServoState.HOLDOVER)

#: told when a clock was stepped: its name, and by how much (sns; None: by somebody else)
OnStep = Callable[[str, int | None], None]
#: told when the servo of an edge entered another state
OnState = Callable[[Edge, ServoState, int], None]
#: told what a measurement has led to: the edge, its servo's answer, when
OnMeasured = Callable[[Edge, Command | None, int], None]
#: makes a servo as an edge had it at the start
NewServo = Callable[[Edge], Servo]


class Steering:
    """Clocks and the edges that lead to them. Effects go to ``emit``, in order."""

    def __init__(
        self,
        clocks: Iterable[SteeredClock],
        emit: Callable[[EngineEffect], None],
        on_step: OnStep,
        on_state: OnState,
        new_servo: NewServo,
    ) -> None:
        self.clocks = {clock.name: clock for clock in clocks}
        self._emit = emit
        self._on_step = on_step
        self._on_state = on_state
        self._new_servo = new_servo
        self._states: dict[str, ServoState] = {}
        #: when the first servo wants to be asked again, ns
        self.due = NEVER
        #: clock -> (its time, when)
        self._times: dict[str, tuple[int, int]] = {}
        #: who wants to hear of each measurement (logs, feeds of other programs); they decide nothing
        self.watchers: list[OnMeasured] = []

    def edges(self) -> Iterable[Edge]:
        for clock in self.clocks.values():
            yield from clock.edges

    # ---- the time of clocks -----------------------------------------------------------------------------------

    def saw_time(self, clock: str, clock_sns: int, now: int) -> None:
        self._times[clock] = (clock_sns, now)

    def about_sns(self, clock: str, now: int) -> int | None:
        """The time of a clock, carried on from the last time it was seen; None before that."""
        last = self._times.get(clock)
        return None if last is None else last[0] + ((now - last[1]) << 16)

    def ptp_s(self, clock: str, now: int) -> int | None:
        """PTP seconds of a clock, carried on like that."""
        about = self.about_sns(clock, now)
        return None if about is None else about // SNS_PER_S

    # ---- how good clocks are ----------------------------------------------------------------------------------

    def why_not_good(self, name: str) -> str:
        """Why others should not take their time from this clock, or ""."""
        clock = self.clocks[name]
        if clock.vouched:
            return ""
        if clock.steering is None:
            return f"nothing steers {name}, and nobody says that it is right"
        state = clock.steering.servo.state
        if state not in TRUSTED:
            return f"{clock.steering.name}, which steers {name}, is {state.value}"
        return f"{name} was stepped a moment ago" if clock.steering.measurements < clock.doubted_until else ""

    def takes_time_from(self, name: str, other: str) -> bool:
        """Whether a clock's time comes, by the edges that steer now, from another (or is that clock)."""
        for _ in self.clocks:
            if name == other:
                return True
            edge = self.clocks[name].steering
            if edge is None or edge.source is None or not edge.usable:
                # a clock that holds over takes its time from nobody
                return False
            name = edge.source
        return name == other

    def bound_ns(self, name: str, now: int) -> float | None:
        """How far a clock may be from the source at the root of what steers it, ns; None: nobody knows."""
        clock = self.clocks[name]
        edge = clock.steering
        if edge is None:
            return 0.0 if clock.vouched else None
        if edge.servo.state not in TRUSTED:
            return None
        estimate = self.estimate(edge, now)
        if estimate is None or estimate.bound_ns is None:
            return None
        return abs(estimate.value_ns) + estimate.bound_ns

    def estimate(self, edge: Edge, now: int) -> Estimate | None:
        """Of an edge between clocks with the bound of its source added: against the source at the root.

        Where nothing is known of the source, it is its own root: the bound is against that clock, and says so.
        """
        estimate = edge.servo.estimate(now)
        if estimate is None or edge.source is None:
            return estimate
        upstream = self.bound_ns(edge.source, now) if edge.usable else edge.upstream_ns
        if upstream is None:
            return replace(estimate, provenance=f"{estimate.provenance}; against {edge.source}, whose error is unknown")
        return replace(estimate, systematic_ns=estimate.systematic_ns + upstream)

    # ---- measurements -----------------------------------------------------------------------------------------

    def measured(self, edge: Edge, observe: Callable[[], Command | None], now: int) -> None:
        """A source has spoken: ``observe`` hands it to the edge's servo.

        Not when that source takes its own time from this clock: an edge that held over must not close a loop.
        """
        if edge.source is not None and not edge.usable and self.takes_time_from(edge.source, edge.clock):
            edge.why_not = f"{edge.source} takes its own time from {edge.clock}"
            return
        edge.measured_ns = now
        edge.measurements += 1
        edge.usable = True
        edge.why_not = ""
        self.arbitrate(edge.clock, now)
        command = observe()
        self.obey(edge, command, now)
        self.arbitrate(edge.clock, now)
        for watcher in self.watchers:
            watcher(edge, command, now)

    def lost(self, edge: Edge, now: int, why: str = "its source is lost") -> None:
        """The source is gone."""
        if edge.source is not None and edge.usable:
            edge.upstream_ns = self.bound_ns(edge.source, now)
        edge.usable = False
        edge.why_not = why
        self.obey(edge, edge.servo.lost(now), now)
        self.arbitrate(edge.clock, now)

    def timer(self, now: int) -> None:
        if self.due > now:
            return
        for clock in self.clocks.values():
            for edge in clock.edges:
                if edge.again_at_ns <= now:
                    edge.again_at_ns = NEVER
                    self.obey(edge, edge.servo.timer(now), now)
        self._find_due()

    def _find_due(self) -> None:
        due = NEVER
        for clock in self.clocks.values():
            for edge in clock.edges:
                if edge.again_at_ns < due:
                    due = edge.again_at_ns
        self.due = due

    def temperature(self, name: str, celsius: float, now: int) -> None:
        for edge in self.clocks[name].edges:
            self.obey(edge, edge.servo.temperature(celsius, now), now)

    def housekeep(self, now: int) -> None:
        """Silent sources, and clocks that were left alone for a while."""
        for clock in self.clocks.values():
            if clock.left_alone_until_ns is not None and now >= clock.left_alone_until_ns:
                clock.left_alone_until_ns = None
                clock.refusals = REFUSALS - 1
                self.arbitrate(clock.name, now)
        for edge in self.edges():
            if edge.usable and now > edge.silent_at_ns():
                for_s = (now - edge.measured_ns) / 1e9
                self._event("silent", edge, {"edge": edge.name, "for_s": for_s})
                self.lost(edge, now, f"its source has been silent for {for_s:.0f} s")

    def quiet_until(self, now: int) -> int:
        """Before that ``housekeep`` finds nothing, whatever comes in from now on."""
        times = [now + SILENT_AT_LEAST_NS]
        for clock in self.clocks.values():
            if clock.left_alone_until_ns is not None:
                times.append(clock.left_alone_until_ns)
            times += [edge.silent_at_ns() for edge in clock.edges if edge.usable]
        return min(times)

    # ---- commands ---------------------------------------------------------------------------------------------

    def obey(self, edge: Edge, command: Command | None, now: int) -> None:
        """Carry on what a servo asks for, if its edge is the one that steers."""
        clock = self.clocks[edge.clock]
        if command is not None:
            if command.verdict is not None:
                self._event("verdict", edge, {"edge": edge.name, "decision": command.verdict.as_dict()})
            if command.again_at_ns is not None:
                edge.again_at_ns = command.again_at_ns
                self._find_due()
            if clock.steering is edge:
                # the frequency first: a step must not be undone by a clock that still runs away
                if command.frequency_ppb is not None:
                    clock.frequency_ppb = command.frequency_ppb
                    self._emit(SetFrequency(clock.name, command.frequency_ppb, command.reason))
                if command.step_sns:
                    self._step(clock, edge, command.step_sns, command.reason, now)
        self._report(edge, now)

    def _step(self, clock: SteeredClock, edge: Edge, step_sns: int, reason: str, now: int) -> None:
        ptp_s = self.ptp_s(clock.name, now)
        if ptp_s is not None and not 0 <= ptp_s + step_sns // SNS_PER_S < LATEST_S:
            self._event(
                "implausible-time",
                edge,
                {"clock": clock.name, "reason": f"a step to PTP second {ptp_s + step_sns // SNS_PER_S} is refused"},
            )
            edge.servo.step_refused()
            self.lost(edge, now, "it asked for a step out of all bounds")
            return
        clock.steps += 1
        self._emit(StepClock(clock.name, step_sns, reason))
        self._event("clock-step", edge, {"clock": clock.name, "step_ns": step_sns / 65536, "reason": reason})
        self.was_stepped(clock.name, step_sns, now)

    def was_stepped(self, name: str, step_sns: int | None, now: int) -> None:
        """What was measured before means nothing any more, on this clock and on those that follow it."""
        last = self._times.pop(name, None)
        if last is not None and step_sns is not None:
            self._times[name] = (last[0] + step_sns, last[1])
        clock = self.clocks[name]
        if clock.steering is not None:
            clock.doubted_until = clock.steering.measurements + PROOF_SAMPLES
        for edge in clock.edges:
            edge.servo.clock_stepped()
        for edge in self.edges():
            if edge.source == name:
                edge.servo.new_master(now)
                if not self.clocks[edge.clock].served:
                    edge.servo.step_refused()
        self._on_step(name, step_sns)

    def begin_anew(self, name: str, now: int, *, forget: bool = False) -> None:
        """The clock was set by somebody else: it is to be set right as at the start, by servos that keep what they have
        learnt of its oscillator, unless they are to ``forget`` that, too. A restart without the restart.
        """
        clock = self.clocks[name]
        self.was_stepped(name, None, now)
        clock.served = False
        for edge in clock.edges:
            kept = None if forget else edge.servo.keep(now)
            edge.servo = self._new_servo(edge)
            if kept is not None:
                edge.servo.resume(kept, 0.0, clock.frequency_ppb)
            if edge is clock.steering:
                edge.servo.take_over(clock.frequency_ppb)
            self._report(edge, now)

    def commanded(self, name: str, clock_sns: int, frequency_ppb: float, step_sns: int, now: int) -> None:
        """A command was carried out."""
        clock = self.clocks[name]
        clock.frequency_ppb = clock.confirmed_ppb = frequency_ppb
        clock.refusals = 0
        # what follows a clock that nobody vouches for is not in service: the first good time may still step it
        clock.served = clock.served or (clock.steering is not None and not clock.steering.fallback)
        self._times[name] = (clock_sns, now)
        for edge in clock.edges:
            edge.servo.commanded(clock_sns, frequency_ppb, step_sns, now)

    def refused(self, name: str, why: str, step: bool, now: int) -> None:
        """The clock did not take a command. Once is bad luck; again and again, it is left alone for a while."""
        clock = self.clocks[name]
        clock.frequency_ppb = clock.confirmed_ppb
        if clock.refusals == 0:
            clock.refused_ns = now
        clock.refusals += 1
        if step:
            clock.steps -= 1
            # the frequency before it was taken, but a clock that still waits for its first step is not in service
            clock.served = clock.steps > 0
            for edge in clock.edges:
                if edge is clock.steering or not clock.served:
                    edge.servo.step_refused()
        self._emit(Event("clock-failed", "", 0, {"clock": name, "reason": why, "in_a_row": clock.refusals}))
        if clock.refusals >= REFUSALS and now - clock.refused_ns >= REFUSING_NS:
            self.leave_alone(name, now + RETRY_NS, f"it refused {clock.refusals} commands in a row: {why}", now)

    def leave_alone(self, name: str, until_ns: int, why: str, now: int) -> None:
        """Nobody steers this clock until then; ``why``: it ..."""
        clock = self.clocks[name]
        clock.leave_alone(until_ns, f"{name} is left alone: {why}")
        for edge in clock.edges:
            self._report(edge, now)

    # ---- who steers -------------------------------------------------------------------------------------------

    def arbitrate(self, name: str, now: int) -> None:
        clock = self.clocks[name]
        if clock.steering is not None and len(clock.edges) == 1:
            return  # the one there is
        before = clock.frequency_ppb

        def loops(edge: Edge) -> bool:
            return edge.source is not None and self.takes_time_from(edge.source, name)

        if clock.arbitrate(loops):
            self._emit(Event("steering", "", 0, {"clock": name, "decision": clock.decision.as_dict()}))
            if clock.frequency_ppb != before:
                self._emit(SetFrequency(name, clock.frequency_ppb, "handed over with the frequency that was learnt"))
            for edge in clock.edges:
                self._report(edge, now)

    def _report(self, edge: Edge, now: int) -> None:
        """The servo's state is news for ports, for references, and for people."""
        state = edge.servo.state
        before = self._states.get(edge.name)
        if state is before or (before is None and edge.measurements == 0):
            return
        self._states[edge.name] = state
        steers = self.clocks[edge.clock].steering is edge
        self._event(
            "servo",
            edge,
            {"edge": edge.name, "old": before.value if before else None, "new": state.value, "steers": steers},
        )
        self._on_state(edge, state, now)

    def _event(self, kind: str, edge: Edge, data: dict[str, Any]) -> None:
        self._emit(Event(kind, edge.instance or "", 0, data))
