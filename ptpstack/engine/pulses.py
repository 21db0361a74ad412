"""One pulse per second on a clock's pin: which edges are the pulse, and which second it is.

A pulse says exactly when a second begins and nothing of which one. Seconds of TAI, UTC and GPS begin together, so the
grid is the same for all. Rules:

1. The first edge only opens the count. An edge is a pulse when it fits the grid of the pulses before it; without a
   grid, when the edge before it is more than half a second away. Drivers that report both edges of a pulse are served
   by that: the edge that ends a pulse comes soon after the one that begins it. What does not fit is rejected and
   counted.
2. Edges that fit each other and not the grid, with no pulse among them, are a new grid: three of them, or ten while
   the clock itself is known to be right, for then they contradict it.
3. The number of the second comes from the clock itself while it is known to be right within ``KNOWN_NS``, else from
   the count since the last numbered pulse, else from the time of day, which another clock tells and which has to be
   known within ``KNOWN_NS`` itself. Without a number a pulse is not used.
4. The cable: a pulse that arrives ``delay`` after its second marks second + delay.
"""

from __future__ import annotations

from collections import Counter, deque

from ptpstack.timebase.units import SNS_PER_S, float_ns_to_sns, sns_to_float_ns

#: Which second it is can be told from a time that errs by less than this; half a second would be a coin's toss.
KNOWN_NS = 400_000_000.0
#: An edge fits the grid within this much per second since the last pulse: a clock and its correction at 500 ppm each.
GRID_RATE = 1.2e-3
#: ... and at least within this much.
GRID_NS = 100_000.0
HALF_SNS = SNS_PER_S // 2
REGRID = 3
REGRID_AGAINST_CLOCK = 10
#: A time of day is carried on by the clock itself for so long.
TOD_AGE_NS = 16_000_000_000


class Pulses:
    """One input. All times are of the clock that stamps, ``*_sns``."""

    def __init__(self, delay_ns: float) -> None:
        self._delay_sns = float_ns_to_sns(delay_ns)
        self.counters: Counter[str] = Counter()
        #: why the last edge was not used, or ""
        self.why_not = "no pulse yet"
        self._edge: int | None = None
        #: the last pulse, and the second it stands for
        self._pulse: int | None = None
        self._second: int | None = None
        self._strays: deque[int] = deque(maxlen=REGRID_AGAINST_CLOCK)
        #: clock minus time of day, how far that may be off (None: unknown), when it was read
        self._tod: tuple[int, float | None, int] | None = None

    # ---- time of day ------------------------------------------------------------------------------------------

    def wants_time_of_day(self, own_bound_ns: float | None, now: int) -> bool:
        """Whether the next pulse could not be numbered without."""
        if self._second is not None or (own_bound_ns is not None and own_bound_ns < KNOWN_NS):
            return False
        return self._tod is None or now - self._tod[2] > TOD_AGE_NS // 2

    def time_of_day(self, clock_sns: int, tod_sns: int, bound_ns: float | None, now: int) -> None:
        self._tod = (clock_sns - tod_sns, bound_ns, now)

    def forget_time_of_day(self) -> None:
        """The clock that tells it was stepped."""
        self._tod = None

    def stepped(self, step_sns: int | None) -> None:
        """The clock was stepped, by so much or (None) by who knows how much."""
        self._tod = None
        self._strays.clear()
        if step_sns is None:
            self._edge = self._pulse = self._second = None
            return
        if self._edge is not None:
            self._edge += step_sns
        if self._pulse is not None:
            self._pulse += step_sns

    # ---- pulses -----------------------------------------------------------------------------------------------

    def edge(self, clock_sns: int, own_bound_ns: float | None, now: int) -> int | None:
        """The reference's time at this edge (sns), or None when it is not used; ``why_not`` then says why.

        ``own_bound_ns``: how far the clock itself is known to be off at most, None: it is not known.
        """
        before, self._edge = self._edge, clock_sns
        known = own_bound_ns is not None and own_bound_ns < KNOWN_NS
        if not self._is_pulse(clock_sns, before, REGRID_AGAINST_CLOCK if known else REGRID):
            return None
        last = self._pulse
        passed = 0 if last is None else _seconds(clock_sns - last)
        if passed > 1:
            self.counters["pulses-missing"] += passed - 1
        self._pulse = clock_sns
        self._strays.clear()
        second = self._number(clock_sns, passed, own_bound_ns, now)
        self._second = second
        if second is None:
            return None
        self.counters["pulses"] += 1
        self.why_not = ""
        return second * SNS_PER_S + self._delay_sns

    def _is_pulse(self, clock_sns: int, before: int | None, regrid: int) -> bool:
        if self._pulse is not None and self._fits(clock_sns, self._pulse):
            return True
        if before is None:
            return self._reject("pulses-first", "the first edge: what it is, the next will tell")
        if clock_sns - before <= HALF_SNS:
            return self._reject("pulses-double", "an edge less than half a second after another: the end of a pulse")
        if self._pulse is None:
            return True
        strays = self._strays
        if strays and not self._fits(clock_sns, strays[-1]):
            strays.clear()
        strays.append(clock_sns)
        if len(strays) >= regrid:
            self.counters["pulses-new-grid"] += 1
            self._second = None
            self._pulse = strays[-2]
            return True
        return self._reject("pulses-off-grid", "an edge that does not fit the seconds of the pulses before it")

    def _reject(self, counter: str, why: str) -> bool:
        self.counters[counter] += 1
        self.why_not = why
        return False

    def _fits(self, clock_sns: int, last: int) -> bool:
        """Whether whole seconds lie between, as far as clocks are to be trusted."""
        gap = clock_sns - last
        whole = _seconds(gap)
        off_ns = abs(sns_to_float_ns(gap - whole * SNS_PER_S))
        return whole >= 1 and off_ns <= min(max(GRID_NS, whole * 1e9 * GRID_RATE), KNOWN_NS / 4)

    def _number(self, clock_sns: int, passed: int, own_bound_ns: float | None, now: int) -> int | None:
        if own_bound_ns is not None and own_bound_ns < KNOWN_NS:
            return _seconds(clock_sns - self._delay_sns)
        if self._second is not None:
            return self._second + passed
        if self._tod is None or now - self._tod[2] > TOD_AGE_NS:
            self._reject("pulses-without-number", "nothing tells which second this pulse is")
            return None
        offset_sns, bound_ns, _when = self._tod
        if bound_ns is None or bound_ns >= KNOWN_NS:
            known = "is not known" if bound_ns is None else f"is known within {bound_ns / 1e9:.1f} s only"
            self._reject("pulses-without-number", f"the time of day {known}, and 0.4 s is needed")
            return None
        told = clock_sns - offset_sns - self._delay_sns
        second = _seconds(told)
        if abs(sns_to_float_ns(told - second * SNS_PER_S)) >= KNOWN_NS:
            self._reject("pulses-without-number", "the time of day lies half-way between two seconds")
            return None
        return second


def _seconds(sns: int) -> int:
    """The nearest whole number of seconds."""
    return (sns + HALF_SNS) // SNS_PER_S
