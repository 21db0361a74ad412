"""One clock against another, from readings of each against CLOCK_REALTIME.

Both readings cannot be taken at the same moment. A clock that *is* CLOCK_REALTIME (or a map over it) needs none of its
own: its backend converts the moment at which the other was read. Else the source is read before and after the clock,
and its time at the clock's moment lies on the line between: whatever rate CLOCK_REALTIME has, it cancels. All of it in
integers.
"""

from __future__ import annotations

import errno

from ptpstack.clocks.base import Clock, ClockError, CrossReading


def compare(source: Clock, clock: Clock, samples: int) -> tuple[int, int, float]:
    """(clock sns, source sns, bound ns) of the same moment; each side by a burst of ``samples``. ClockError."""
    if clock.kind == "system":
        reading = source.cross_reading(samples)
        return clock.stamp_sns(reading.realtime_ns), reading.clock_sns, reading.bound_ns
    if source.kind == "system":
        reading = clock.cross_reading(samples)
        return reading.clock_sns, source.stamp_sns(reading.realtime_ns), reading.bound_ns
    before = source.cross_reading(samples)
    reading = clock.cross_reading(samples)
    after = source.cross_reading(samples)
    source_sns = at_moment(before, after, reading.realtime_ns)
    return reading.clock_sns, source_sns, max(before.bound_ns, after.bound_ns) + reading.bound_ns


def at_moment(before: CrossReading, after: CrossReading, realtime_ns: int) -> int:
    """What the clock that was read twice showed at ``realtime_ns``, sns. ClockError when that is not between."""
    span = after.realtime_ns - before.realtime_ns
    elapsed = realtime_ns - before.realtime_ns
    if not 0 <= elapsed <= span:
        raise ClockError(errno.EAGAIN, "the system clock was set between two readings: this comparison is dropped")
    if span == 0:
        return before.clock_sns
    return before.clock_sns + (after.clock_sns - before.clock_sns) * elapsed // span
