"""Somebody else at a clock: found out, told, counted, and answered by a stated policy.

A clock has one edge that steers it. Another program (chronyd, phc2sys, an operator's phc_ctl) knows nothing of that.
Once a second the driver says what frequency a clock runs with and what time it shows; when the frequency is not what
was set here, or the time has jumped where nobody here made a step, somebody else was at it.

**Policy** (``on_foreign_change``): ``keep``: say so, put the frequency back, go on steering; a clock that was set is
set right again (the first step is owed to it once more). ``yield``: the same, until it has happened ``PATIENCE``
times within ``MEMORY_NS``; then the clock is left alone for as long as the other is at it, and ``QUIET_NS`` longer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from ptpstack.engine.discipline import SteeredClock
from ptpstack.engine.effects import EngineEffect, Event, SetFrequency
from ptpstack.engine.plan import ClockPlan
from ptpstack.engine.steering import Steering
from ptpstack.protocol.decision import Decision

#: Frequencies this near to each other are the same: the kernel's resolution is 0.015 ppb, hardware's may be coarser.
SAME_PPB = 0.05
#: A jump below this is left to the servo, which sees it as an offset: readings are not taken at exact moments.
JUMP_NS = 1_000_000
#: Two clocks may run apart by so much: 500 ppm each way, some more for their oscillators.
RATE = 2e-3
PATIENCE = 5
MEMORY_NS = 60_000_000_000
QUIET_NS = 60_000_000_000


@dataclass(slots=True)
class Outsiders:
    """What others did to one clock."""

    changes: int = 0
    steps: int = 0
    #: the last one, in a sentence
    last: str = ""
    last_ns: int = 0
    decision: Decision | None = None
    #: the code of the last decision that was told, and when
    told: tuple[str, int] | None = None
    #: when the latest ones were found
    recent: deque[int] = field(default_factory=lambda: deque(maxlen=PATIENCE))
    #: the clock when it was last looked at, and when that was on a steady clock
    seen: tuple[int, int] | None = None


class Watch:
    """Over all clocks of an engine."""

    def __init__(self, plans: dict[str, ClockPlan], steering: Steering, emit: Callable[[EngineEffect], None]) -> None:
        self._steering = steering
        self._emit = emit
        self._plans = plans
        self.of: dict[str, Outsiders] = {name: Outsiders() for name in plans}

    def stepped(self, name: str, step_sns: int) -> None:
        """A step of our own."""
        found = self.of[name]
        if found.seen is not None:
            found.seen = (found.seen[0] + step_sns, found.seen[1])

    def renewed(self, name: str, frequency_ppb: float, now: int, another: bool = False) -> None:
        """The device was without power, or is ``another``: nobody's doing, and all of it is to be set again."""
        clock = self._steering.clocks[name]
        self.of[name].seen = None
        wanted, clock.confirmed_ppb = clock.frequency_ppb, frequency_ppb
        if another:
            wanted = clock.frequency_ppb = frequency_ppb
        self._steering.begin_anew(name, now, forget=another)
        if clock.steering is not None and wanted != frequency_ppb:
            self._emit(SetFrequency(name, wanted, "the clock is there again: the frequency it had"))

    def watches(self, name: str) -> bool:
        return self._plans[name].watched

    def before_command(self, name: str, found_ppb: float, now: int) -> None:
        """What a clock ran with when the next frequency was about to be set."""
        clock = self._steering.clocks[name]
        if clock.steering is not None and abs(found_ppb - clock.confirmed_ppb) > SAME_PPB:
            self.of[name].changes += 1
            self._found(name, self._changed(name, found_ppb), now)

    def _changed(self, name: str, found_ppb: float) -> str:
        ours = self._steering.clocks[name].confirmed_ppb
        return f"somebody else set {name} to {found_ppb:+.3f} ppb, {ours:+.3f} ppb was set here"

    def look(self, name: str, clock_sns: int, at_ns: int, frequency_ppb: float, remark: str, now: int) -> None:
        """The clock as it is found; ``remark`` is what its backend has to say, or ""."""
        if not self._plans[name].watched:
            return
        found, clock = self.of[name], self._steering.clocks[name]
        before, found.seen = found.seen, (clock_sns, at_ns)
        if clock.steering is None and clock.left_alone_until_ns is None:
            # not ours yet: whoever sets it up may do so
            clock.frequency_ppb = clock.confirmed_ppb = frequency_ppb
            return
        if before is not None:
            elapsed = at_ns - before[1]
            jump_ns = ((clock_sns - before[0]) >> 16) - elapsed
            if abs(jump_ns) > JUMP_NS + RATE * elapsed:
                found.steps += 1
                self._found(name, f"somebody else stepped {name} by {jump_ns / 1e9:+.6f} s", now)
                self._steering.begin_anew(name, now)
        if abs(frequency_ppb - clock.confirmed_ppb) > SAME_PPB:
            found.changes += 1
            sentence = self._changed(name, frequency_ppb)
            wanted = clock.frequency_ppb
            clock.frequency_ppb = clock.confirmed_ppb = frequency_ppb
            self._found(name, f"{sentence} {remark}".rstrip(), now)
            if clock.steering is not None:
                clock.frequency_ppb = wanted
                self._emit(SetFrequency(name, wanted, "put back what somebody else has changed"))
        elif remark and remark != found.last:
            found.changes += 1
            self._found(name, remark, now)

    def _found(self, name: str, sentence: str, now: int) -> None:
        found, clock = self.of[name], self._steering.clocks[name]
        found.last, found.last_ns = sentence, now
        found.recent.append(now)
        goes_on = len(found.recent) == PATIENCE and now - found.recent[0] <= MEMORY_NS
        yields = self._plans[name].on_foreign_change == "yield"
        inputs = {"changes": found.changes, "steps": found.steps}
        if yields and (goes_on or clock.left_alone_until_ns is not None):
            found.decision = Decision(
                "foreign-left-alone",
                f"{sentence}; this goes on, so {name} is left alone",
                inputs,
                would_change=f"{QUIET_NS // 10**9} s without such a change: stop the other program",
            )
            self._leave(clock, now, sentence)
        else:
            found.decision = Decision(
                "foreign-change",
                f"{sentence}; {name} is steered here all the same",
                inputs,
                ("the other program: one edge steers a clock",),
                "stopping the other program (chronyd, ntpd, systemd-timesyncd, phc2sys, ptp4l)",
            )
        if found.told is None or found.told[0] != found.decision.code or now - found.told[1] >= MEMORY_NS:
            # two programs at one clock change it every second: told once a minute, counted each time
            found.told = (found.decision.code, now)
            self._emit(Event("foreign-change", "", 0, {"clock": name, "decision": found.decision.as_dict()}))

    def _leave(self, clock: SteeredClock, now: int, why: str) -> None:
        if clock.left_alone_until_ns is None:
            self._steering.leave_alone(clock.name, now + QUIET_NS, why, now)
        else:
            clock.left_alone_until_ns = now + QUIET_NS
