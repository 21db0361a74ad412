"""Simulated pulses into a simulated clock's inputs, and the edges of its outputs.

1. A pulse train keeps **perfect time** (the truth of the clock's base) but for the offset and noise that it is given.
2. An edge is stamped by the clock as a packet is: by the mapping in force at its moment, with its grain and noise.
3. Nothing is drawn before its time: what a reader gets does not depend on when it asks.
"""

from __future__ import annotations

import errno
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from ptpstack.clocks.base import ClockError, ExternalTimestamp, ExttsGrant, OutputGrant
from ptpstack.timebase.units import NS_PER_S

#: as in the kernel: an unread queue loses its oldest events
QUEUE = 128
INPUTS = 2
OUTPUTS = 2
#: edges of an output that are remembered, as on the hardware rig
EDGES = 64


@dataclass(slots=True)
class Pulse:
    """A 1PPS by default. ``connected`` False: the cable is out. All may be changed while it runs."""

    period_ns: int = NS_PER_S
    #: where the edge lies against truth: a cable's delay, an error of the receiver
    offset_ns: float = 0.0
    #: standard deviation of each edge
    noise_ns: float = 0.0
    connected: bool = True
    seed: int = 0
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.period_ns < 1000 or self.noise_ns < 0:
            raise ValueError(f"period_ns is {self.period_ns} and noise_ns {self.noise_ns}; at least 1000 and 0")
        self._random = random.Random(f"pulse/{self.seed}")

    def error_ns(self) -> int:
        """Of the next edge, drawn now."""
        noise = self._random.gauss(0.0, self.noise_ns) if self.noise_ns else 0.0
        return round(self.offset_ns + noise)


class PulseInput:
    """One input that is being stamped: looks at the edges since it last looked. Times are truth, ns."""

    __slots__ = ("_done", "_pulse")

    def __init__(self, pulse: Pulse, now_ns: int) -> None:
        self._pulse = pulse
        self._done = now_ns // pulse.period_ns

    def next_ns(self) -> int | None:
        """When the next edge is due; None while the cable is out."""
        return (self._done + 1) * self._pulse.period_ns if self._pulse.connected else None

    def collect(self, now_ns: int, channel: int, stamp: Callable[[int], int], into: deque[ExternalTimestamp]) -> None:
        """Edges up to now. Only the newest that the queue can hold are drawn after a long silence."""
        due = now_ns // self._pulse.period_ns
        for number in range(max(self._done + 1, due + 1 - QUEUE), due + 1):
            error_ns = self._pulse.error_ns()
            if self._pulse.connected:
                into.append(ExternalTimestamp(channel, stamp(number * self._pulse.period_ns + error_ns)))
        self._done = max(self._done, due)


class SimulatedPins:
    """The inputs and outputs of ``SimulatedClock``: see ``clocks.base.PinClock``."""

    _pulses: dict[int, Pulse]
    _inputs: dict[int, PulseInput]
    _events: deque[ExternalTimestamp]
    _outputs: dict[int, OutputGrant]
    #: truth minus the base's time
    _tai_ns: int

    def _no_pins(self) -> None:
        """As after power-on."""
        self._pulses, self._inputs, self._outputs = {}, {}, {}
        self._events = deque(maxlen=QUEUE)

    # what the clock gives

    @property
    def name(self) -> str:
        raise NotImplementedError

    def now_sns(self) -> int:
        raise NotImplementedError

    def _truth_ns(self) -> int:
        """PTP time of the base, now."""
        raise NotImplementedError

    def _stamp_truth(self, truth_ns: int) -> int:
        """The clock's stamp of what happened at that truth, sns."""
        raise NotImplementedError

    def _truth_when(self, clock_sns: int) -> int:
        """Truth at the moment at which the clock showed ``clock_sns``, to the resolution of the base (ns)."""
        raise NotImplementedError

    def _must_be_open(self, operation: str) -> None:
        """ClockError when the clock was closed."""
        raise NotImplementedError

    # inputs and outputs

    def fileno(self) -> int:
        text = f"{self.name}: a simulated clock has no descriptor to wait on; ask it when next_edge_ns says"
        raise ClockError(errno.EOPNOTSUPP, text)

    def request_external_timestamps(
        self, channel: int, *, pin: int | None = None, edge: str = "rising", enable: bool = True
    ) -> ExttsGrant:
        """An input without a pulse (``connect``) can be switched on too; nothing comes."""
        self._must_have(channel, INPUTS, f"stamp edges at input {channel}")
        self._collect()
        self._inputs.pop(channel, None)
        self._events = deque((e for e in self._events if e.channel != channel), QUEUE)
        if enable:
            pulse = self._pulses.setdefault(channel, Pulse(connected=False))
            self._inputs[channel] = PulseInput(pulse, self._truth_ns())
        return ExttsGrant(channel, None, edge, enable, True, True)

    def read_external_timestamps(self) -> list[ExternalTimestamp]:
        self._must_be_open("read external time stamps")
        self._collect()
        found = list(self._events)
        self._events.clear()
        return found

    def set_periodic_output(
        self,
        channel: int,
        *,
        period_ns: int,
        start_sns: int | None = None,
        pin: int | None = None,
        pulse_ns: int | None = None,
    ) -> OutputGrant:
        self._must_have(channel, OUTPUTS, f"output {channel}")
        self._outputs.pop(channel, None)
        if not period_ns:
            return OutputGrant(channel, None, 0, 0, None)
        if start_sns is None:
            start_sns = ((self.now_sns() >> 16) // NS_PER_S + 2) * NS_PER_S << 16
        grant = self._outputs[channel] = OutputGrant(channel, None, period_ns, start_sns, pulse_ns)
        return grant

    def connect(self, channel: int, pulse: Pulse) -> Pulse:
        """Wire a pulse train to an input. Edges come from now on, if the input is being stamped."""
        self._must_have(channel, INPUTS, f"connect a pulse to input {channel}")
        self._collect()
        self._pulses[channel] = pulse
        if channel in self._inputs:
            self._inputs[channel] = PulseInput(pulse, self._truth_ns())
        return pulse

    def next_edge_ns(self) -> int | None:
        """Base time, ns, at which the next edge at an input that is being stamped is due; None: none is."""
        times = [t for i in self._inputs.values() if (t := i.next_ns()) is not None]
        return min(times) - self._tai_ns if times else None

    def output_edges(self, channel: int) -> list[tuple[int, int]]:
        """(clock time, truth), sns, of the edges of an output so far: at most 64, within the history (30 s)."""
        grant = self._outputs.get(channel)
        if grant is None:
            return []
        start_ns, now_ns = grant.start_sns >> 16, self.now_sns() >> 16
        count = (now_ns - start_ns) // grant.period_ns + 1
        edges = [start_ns + n * grant.period_ns << 16 for n in range(max(0, count - EDGES), max(0, count))]
        return [(clock_sns, self._truth_when(clock_sns)) for clock_sns in edges]

    def _must_have(self, channel: int, count: int, operation: str) -> None:
        self._must_be_open(operation)
        if not 0 <= channel < count:
            text = f"{self.name}: {operation} failed: it has {count} (0 to {count - 1}): choose another"
            raise ClockError(errno.EINVAL, text)

    def _collect(self) -> None:
        now_ns = self._truth_ns()
        for channel, wired in self._inputs.items():
            wired.collect(now_ns, channel, self._stamp_truth, self._events)
