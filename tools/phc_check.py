"""Try a real PTP hardware clock through LinuxPhc: read, cross readings by every method, step, frequency.

It STEERS the clock that it is given (steps by a second and back, up to 10 ppm for some seconds) and then restores it:
run it only on a clock that nobody uses. Exit status 1 when something is not as it should be.

    python tools/phc_check.py /dev/ptp0
"""

from __future__ import annotations

import sys
import time

from ptpstack.clocks.base import ClockError, CrossReading
from ptpstack.clocks.open import describe_clocks
from ptpstack.clocks.phc import METHODS, LinuxPhc
from ptpstack.timebase.units import format_ns

_failures = 0


def _check(good: bool, what: str) -> None:
    global _failures
    _failures += not good
    print(f"{'ok  ' if good else 'FAIL'} {what}")


def _offset_ns(reading: CrossReading) -> float:
    return ((reading.clock_sns >> 16) - reading.realtime_ns) + (reading.clock_sns & 0xFFFF) / 65536


def _best(phc: LinuxPhc, readings: int = 10) -> CrossReading:
    return min((phc.cross_reading(25) for _ in range(readings)), key=lambda r: r.bound_ns)


def _check_methods(phc: LinuxPhc) -> None:
    """Every method this device has, each by itself, against the first one."""
    first = _best(phc)
    for method in METHODS:
        try:
            reading = min((phc.cross_reading(25, method) for _ in range(10)), key=lambda r: r.bound_ns)
        except ClockError as error:
            print(f"     {method}: {error}")
            continue
        # Both clocks ran a little between the two readings: allow 100 ppm for the time that passed.
        apart = abs(reading.realtime_ns - first.realtime_ns) * 1e-4
        distance = _offset_ns(reading) - _offset_ns(first)
        allowed = first.bound_ns + reading.bound_ns + apart
        _check(
            abs(distance) <= allowed,
            f"{method}: bound {format_ns(reading.bound_ns)}, {format_ns(distance)} from {first.method} "
            f"(allowed {format_ns(allowed)})",
        )
    for method, why in phc.method_notes.items():
        print(f"     {method} not in use: {why}")


def _check_step(phc: LinuxPhc) -> None:
    for delta_ns in (1_250_000_000, -1_250_000_000, -300_000_000, 300_000_000, 5, -5):
        before = _best(phc)
        phc.step(delta_ns << 16)
        after = _best(phc)
        moved = _offset_ns(after) - _offset_ns(before) - delta_ns
        allowed = before.bound_ns + after.bound_ns + abs(after.realtime_ns - before.realtime_ns) * 1e-4 + 10_000
        _check(abs(moved) <= allowed, f"step {delta_ns:+} ns: off by {format_ns(moved)} (allowed {format_ns(allowed)})")


def _rate_ppb(phc: LinuxPhc) -> tuple[float, float]:
    a = _best(phc)
    time.sleep(2)
    b = _best(phc)
    elapsed = b.realtime_ns - a.realtime_ns
    return (_offset_ns(b) - _offset_ns(a)) / elapsed * 1e9, (a.bound_ns + b.bound_ns) / elapsed * 1e9


def _check_frequency(phc: LinuxPhc) -> None:
    start = phc.frequency_ppb()
    natural, bound = _rate_ppb(phc)
    print(f"     at {start:+.3f} ppb the clock runs {natural:+.1f} ppb against the system clock")
    for ppb in (10_000.0, -10_000.0):
        took = phc.set_frequency(start + ppb)
        _check(
            abs(phc.frequency_ppb() - took) < 1.0, f"frequency {took:+.3f} ppb reads back as {phc.frequency_ppb():+.3f}"
        )
        rate, more = _rate_ppb(phc)
        allowed = bound + more + 50.0
        _check(
            abs(rate - natural - ppb) <= allowed,
            f"rate changed by {rate - natural:+.1f} ppb (allowed {allowed:.0f} off)",
        )
    limit = phc.set_frequency(1e12)
    _check(limit <= phc.capabilities.max_adjustment_ppb, f"asked for 1e12 ppb, took {limit:+.1f} (max_adj)")
    _check(phc.set_frequency(-1e12) == -limit, "the same downwards")
    phc.set_frequency(start)


def main(path: str) -> int:
    for clock in describe_clocks():
        print(f"     {clock}")
    try:
        phc = LinuxPhc(path)
    except ClockError as error:
        print(f"FAIL {error}")
        return 1
    try:
        print(f"     {phc.capabilities}")
        first, second = phc.now_sns(), phc.now_sns()
        _check(first < second, f"now {first >> 16} ns, then {format_ns((second - first) / 65536)} later")
        _check_methods(phc)
        if phc.capabilities.can_step:
            _check_step(phc)
        if phc.capabilities.can_adjust:
            _check_frequency(phc)
    except ClockError as error:
        _check(False, str(error))
    finally:
        phc.close()
    return 1 if _failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
