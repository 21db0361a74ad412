"""A clock of its own over a time base: an oscillator that errs, and the servo's commands on top.

1. **Truth** is the PTP time of the base: ``truth_sns(base_ns) = (base_ns + tai_offset_s * 10**9) << 16``. The clock is
   truth plus an error that is known exactly.
2. The error is piecewise linear in base time and kept in integers of 2**-64 ns with rates of 2**-64: nothing is
   rounded when segments are chained, so a value does not depend on when, how often or in which order the clock is read.
3. Recent segments are kept: a stamp taken before a command is converted by the mapping in force at its moment.
4. Frequencies add: rate = 1 + oscillator + command. (Hardware multiplies; at 50 ppm the two differ by 2.5 ppb, a
   constant that no servo can tell from the oscillator.)

Over ``RealtimeBase`` it gives a node on the kernel's software time stamps a clock of its own; over ``ManualBase`` it is
the clock of the simulator.
"""

from __future__ import annotations

import errno
import math
import random
import time
from bisect import bisect_right
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Protocol

from ptpstack.clocks.base import Capabilities, ClockError, CrossReading
from ptpstack.clocks.oscillator import UNITS_PER_PPB, Oscillator, OscillatorModel
from ptpstack.clocks.pulses import INPUTS, OUTPUTS, SimulatedPins
from ptpstack.clocks.timex import SCALED_PER_PPB, scaled_ppm
from ptpstack.timebase.units import NS_PER_S

if TYPE_CHECKING:
    from statistics import NormalDist

#: how far back a stamp is converted by the mapping of its own moment
HISTORY_NS = 30 * NS_PER_S
#: Segments from which on they are looked through for old ones: few, so that hundreds of clocks stay in the cache.
_HISTORY_CHECK = 256
_HISTORY_LIMIT = 16_384
#: A base that jumps further than this ahead (116 days) was set, not run: the oscillator would be drawn for minutes.
MAX_GAP_S = 10_000_000
_NEVER = 1 << 100


@cache
def _unit_normal() -> NormalDist:
    # only for clocks with noise: statistics brings decimals and fractions into memory
    from statistics import NormalDist

    return NormalDist()


class TimeBase(Protocol):
    """What a simulated clock runs on, in ns. Kernel software time stamps must be on the same scale."""

    def now_ns(self) -> int: ...


class RealtimeBase:
    """CLOCK_REALTIME, on which the kernel's software time stamps are."""

    def now_ns(self) -> int:
        return time.time_ns()


class ManualBase:
    """Simulated time: stands still until it is moved. Never goes back."""

    __slots__ = ("_ns",)

    def __init__(self, start_ns: int = 0) -> None:
        self._ns = start_ns

    def now_ns(self) -> int:
        return self._ns

    def set_ns(self, ns: int) -> None:
        """ValueError when ``ns`` is in the past."""
        if ns < self._ns:
            raise ValueError(f"simulated time cannot go back from {self._ns} to {ns} ns")
        self._ns = ns

    def advance_ns(self, ns: int) -> None:
        self.set_ns(self._ns + ns)


class SimulatedClock(SimulatedPins):
    """See ``clocks.base.PinClock``. ``connect`` wires a pulse to an input; ``output_edges`` shows what an output did.

    ``initial_error_ns``: the clock starts that far from truth. ``initial_frequency_ppb`` replaces the model's.
    ``grain_ns``, ``noise_ns``: time stamps (``stamp_sns`` only) are floored to the grain after normal noise of that
    sigma; the noise is a function of seed and stamp, so a stamp converts to the same value each time.
    ``read_noise_ns``: each reading of a burst errs by up to that much (uniform); their mean is handed out, with that
    as its bound.
    """

    def __init__(
        self,
        base: TimeBase,
        oscillator: OscillatorModel | str = "perfect",
        *,
        seed: int = 0,
        name: str = "simulated",
        tai_offset_s: int = 37,
        initial_error_ns: float = 0.0,
        initial_frequency_ppb: float | None = None,
        max_adjustment_ppb: float = 1e6,
        grain_ns: int = 0,
        noise_ns: float = 0.0,
        read_noise_ns: float = 0.0,
    ) -> None:
        if not 0 <= max_adjustment_ppb < 1e9:
            raise ValueError(f"max_adjustment_ppb is {max_adjustment_ppb}; below 1e9, or the clock could run backwards")
        if grain_ns < 0 or noise_ns < 0 or read_noise_ns < 0:
            raise ValueError("grain_ns, noise_ns and read_noise_ns cannot be negative")
        model = OscillatorModel.preset(oscillator) if isinstance(oscillator, str) else oscillator
        if initial_frequency_ppb is not None:
            model = replace(model, initial_frequency_ppb=initial_frequency_ppb)
        self._base = base
        self._name = name
        self._oscillator = Oscillator(model, seed)
        self._tai_ns = tai_offset_s * NS_PER_S
        self._capabilities = Capabilities(
            max_adjustment_ppb, cross_method="exact", external_timestamps=INPUTS, periodic_outputs=OUTPUTS
        )
        self._no_pins()
        self._scaled = 0  # command in force, scaled ppm
        self._written: int | None = None  # the last one that came by set_frequency
        self._command = 0  # the same in 2**-64
        self._closed = False
        self._grain_sns = grain_ns << 16
        self._noise_sns = noise_ns * 65536.0
        self._stamp_key = random.Random(f"stamp/{seed}").getrandbits(64)
        self._read_noise_ns = read_noise_ns
        self._read_random = random.Random(f"reading/{seed}")
        # The newest segment, then the history (which includes it): start, error there, rate, oscillator's part of rate.
        now_ns = base.now_ns()
        self._start_ns = now_ns
        self._error = round(initial_error_ns * 65536.0) << 48
        self._rate = self._oscillator.rate
        self._starts = [now_ns]
        self._segments = [(self._error, self._rate, self._oscillator.rate)]
        # The next base second, at which the oscillator changes.
        self._boundary_ns = _NEVER if model.constant else (now_ns // NS_PER_S + 1) * NS_PER_S

    # -- Clock --------------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self._name

    @property
    def kind(self) -> str:
        return "simulated"

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def now_sns(self) -> int:
        if self._closed:
            raise self._gone("read")
        base_ns = self._base.now_ns()
        return ((base_ns + self._tai_ns) << 16) + (self._error_at(base_ns) >> 48)

    def stamp_sns(self, stamp_ns: int) -> int:
        """PTP time of this clock at base time ``stamp_ns``, past or present, with grain and noise of stamping.

        Stamps older than the history (30 s) are converted by the oldest segment kept.
        """
        if stamp_ns >= self._boundary_ns:
            self._advance(stamp_ns)
        if stamp_ns >= self._start_ns:
            error = self._error + (stamp_ns - self._start_ns) * self._rate
        else:
            error = self._past_error(stamp_ns)
        clock_sns = ((stamp_ns + self._tai_ns) << 16) + (error >> 48)
        if self._noise_sns:
            clock_sns += self._blur_sns(stamp_ns)
        grain = self._grain_sns
        return clock_sns - clock_sns % grain if grain else clock_sns

    def frequency_ppb(self) -> float:
        return self._scaled / SCALED_PER_PPB

    def set_frequency(self, ppb: float) -> float:
        """Resolution 2**-16 ppm, like the kernel's interface."""
        if self._closed:
            raise self._gone(f"set the frequency to {ppb:+.3f} ppb")
        self._steer(ppb)
        self._written = self._scaled
        return self._scaled / SCALED_PER_PPB

    def foreign_frequency(self) -> float | None:
        if self._closed:
            raise self._gone("read the frequency")
        if self._written is None or self._written == self._scaled:
            return None
        return self._scaled / SCALED_PER_PPB

    def step(self, delta_sns: int) -> None:
        if self._closed:
            raise self._gone("step")
        self._cut(delta_sns << 48, self._command)

    def cross_reading(self, samples: int = 5) -> CrossReading:
        """Against the time base, which stands for CLOCK_REALTIME."""
        if self._closed:
            raise self._gone("reading against the system clock")
        base_ns = self._base.now_ns()
        clock_sns = ((base_ns + self._tai_ns) << 16) + (self._error_at(base_ns) >> 48)
        if self._read_noise_ns:
            count = max(1, min(25, samples))
            limit = self._read_noise_ns * 65536.0
            clock_sns += int(sum(self._read_random.uniform(-limit, limit) for _ in range(count)) / count)
            noise_ns = self._read_noise_ns / math.sqrt(3 * count)  # of the mean of uniform errors
            return CrossReading(clock_sns, base_ns, self._read_noise_ns, "exact", count, noise_ns)
        return CrossReading(clock_sns, base_ns, 0.0, "exact")

    def close(self) -> None:
        self._closed = True

    # -- what only a simulation knows ---------------------------------------------------------------------------------

    def intrude(self, ppb: float) -> None:
        """Another program sets the frequency, behind the back of whoever steers this clock."""
        self._steer(ppb)

    def truth_sns(self, base_ns: int | None = None) -> int:
        """PTP time of the base, now or at ``base_ns``."""
        return ((self._base.now_ns() if base_ns is None else base_ns) + self._tai_ns) << 16

    def error_sns(self, base_ns: int | None = None) -> int:
        """Clock minus truth, now or at ``base_ns`` (within the history), exact to the unit (rounded down)."""
        return self._error_at(self._base.now_ns() if base_ns is None else base_ns) >> 48

    def oscillator_ppb(self) -> float:
        """Frequency error of the oscillator alone, now."""
        self._error_at(self._base.now_ns())
        return self._segments[-1][2] / UNITS_PER_PPB

    def true_frequency_ppb(self) -> float:
        """Frequency error of the clock, oscillator and command together, now."""
        self._error_at(self._base.now_ns())
        return self._rate / UNITS_PER_PPB

    def celsius(self) -> float:
        """What a sensor beside the oscillator shows: 25 degrees, and 5 more or less with the model's swing."""
        self.now_sns()
        return 25.0 + 5.0 * self._oscillator.warmth()

    def change_oscillator(self, *, jump_ppb: float = 0.0, wander_ppb: float | None = None) -> None:
        """Something happens to the oscillator: its frequency jumps now, or wanders otherwise from the next second on.

        For simulated bases only: ValueError when seconds ahead of the base have been drawn already.
        """
        base_ns = self._base.now_ns()
        error = self._error_at(base_ns)
        if self._start_ns > base_ns:
            raise ValueError(f"{self._name}: the oscillator has been read ahead of its base and cannot change now")
        self._append(base_ns, error, self._oscillator.change(jump_ppb=jump_ppb, wander_ppb=wander_ppb))
        if self._oscillator.model.constant:
            self._boundary_ns = _NEVER
        elif self._boundary_ns == _NEVER:
            self._boundary_ns = (base_ns // NS_PER_S + 1) * NS_PER_S

    # -- plumbing -----------------------------------------------------------------------------------------------------

    def _truth_ns(self) -> int:
        return self._base.now_ns() + self._tai_ns

    def _stamp_truth(self, truth_ns: int) -> int:
        return self.stamp_sns(truth_ns - self._tai_ns)

    def _truth_when(self, clock_sns: int) -> int:
        truth_sns = clock_sns
        for _ in range(4):  # each round leaves a frequency error's worth of the last correction
            truth_sns = clock_sns - self.error_sns((truth_sns >> 16) - self._tai_ns)
        return truth_sns

    def _must_be_open(self, operation: str) -> None:
        if self._closed:
            raise self._gone(operation)

    def _steer(self, ppb: float) -> None:
        self._scaled = scaled_ppm(ppb, self._capabilities.max_adjustment_ppb)
        # a scaled ppm is 2**-16 ppm, 2**64 / (2**16 * 10**6) of our units
        self._cut(0, round(self._scaled / 15_625 * (1 << 42)))

    # -- segments -----------------------------------------------------------------------------------------------------

    def _error_at(self, base_ns: int) -> int:
        """Error in 2**-64 ns."""
        if base_ns >= self._boundary_ns:
            self._advance(base_ns)
        if base_ns >= self._start_ns:
            return self._error + (base_ns - self._start_ns) * self._rate
        return self._past_error(base_ns)

    def _past_error(self, base_ns: int) -> int:
        index = max(0, bisect_right(self._starts, base_ns) - 1)
        error, rate, _ = self._segments[index]
        return error + (base_ns - self._starts[index]) * rate

    def _advance(self, base_ns: int) -> None:
        """Draw the oscillator up to and including the second of ``base_ns``."""
        if base_ns - self._boundary_ns > MAX_GAP_S * NS_PER_S:
            days = (base_ns - self._boundary_ns) // (86_400 * NS_PER_S)
            raise ClockError(
                errno.ERANGE,
                f"{self._name}: read failed: the time base jumped {days} days ahead; make a new clock after setting it",
            )
        boundary, start, error, command = self._boundary_ns, self._start_ns, self._error, self._command
        rate, next_second = self._rate, self._oscillator.next_second
        starts, segments = self._starts, self._segments
        while boundary <= base_ns:
            error += (boundary - start) * rate
            start = boundary
            oscillator = next_second()
            rate = oscillator + command
            starts.append(start)
            segments.append((error, rate, oscillator))
            boundary += NS_PER_S
            if len(starts) >= _HISTORY_CHECK:
                self._forget()
        self._boundary_ns, self._start_ns, self._error, self._rate = boundary, start, error, rate

    def _cut(self, delta: int, command: int) -> None:
        """Begin a new segment now: ``command`` in force from here, the error ``delta`` larger."""
        base_ns = self._base.now_ns()
        error = self._error_at(base_ns) + delta  # draws the seconds until now, under the old command
        self._command = command
        if self._start_ns <= base_ns:
            self._append(base_ns, error, self._segments[-1][2])
            if len(self._starts) >= _HISTORY_CHECK:
                self._forget()
            return
        # Seconds ahead of the base may have been drawn (a stamp slightly ahead; a base set back): they stay as drawn.
        ahead = bisect_right(self._starts, base_ns)
        later = list(zip(self._starts[ahead:], self._segments[ahead:], strict=True))
        oscillator = self._segments[max(0, ahead - 1)][2]
        del self._starts[ahead:], self._segments[ahead:]
        self._append(base_ns, error, oscillator)
        for start, (_, _, drawn) in later:
            self._append(start, self._error + (start - self._start_ns) * self._rate, drawn)
        if len(self._starts) >= _HISTORY_CHECK:
            self._forget()

    def _append(self, start_ns: int, error: int, oscillator: int) -> None:
        rate = oscillator + self._command
        self._start_ns, self._error, self._rate = start_ns, error, rate
        self._starts.append(start_ns)
        self._segments.append((error, rate, oscillator))

    def _forget(self) -> None:
        """Drop what is older than the history; more than the limit only when commands come hundreds a second."""
        keep = bisect_right(self._starts, self._starts[-1] - HISTORY_NS) - 1
        keep = max(keep, len(self._starts) - _HISTORY_LIMIT)
        if keep > 0:
            del self._starts[:keep], self._segments[:keep]

    # -- noise --------------------------------------------------------------------------------------------------------

    def _blur_sns(self, stamp_ns: int) -> int:
        # splitmix64 of the stamp: noise without state
        z = (stamp_ns * 0x9E3779B97F4A7C15 + self._stamp_key) & 0xFFFF_FFFF_FFFF_FFFF
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFF_FFFF_FFFF_FFFF
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & 0xFFFF_FFFF_FFFF_FFFF
        z ^= z >> 31
        return round(self._noise_sns * _unit_normal().inv_cdf(((z >> 12) + 0.5) / (1 << 52)))

    def _gone(self, operation: str) -> ClockError:
        return ClockError(errno.EBADF, f"{self._name}: {operation} failed: the clock was closed; make a new one")
