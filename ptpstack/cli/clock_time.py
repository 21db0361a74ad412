"""``ptpstack clock get|set|adj|cmp``: time and frequency of one clock."""

from __future__ import annotations

import argparse
import time

from ptpstack.cli.clock_common import Refused, instant_ns, open_clock, open_phc, open_readable, open_system, say
from ptpstack.timebase.units import format_ns


def get(args: argparse.Namespace) -> int:
    from ptpstack.clocks.base import ClockError
    from ptpstack.clocks.survey import offset_of
    from ptpstack.timebase.leap import LeapTable
    from ptpstack.timebase.scales import format_ptp, format_utc

    system = open_system(args)
    clock = system if args.clock == "system" else open_readable(args.clock)
    try:
        reading = clock.cross_reading(9)
        try:
            rate: float | None = clock.frequency_ppb()
        except ClockError:
            rate = None
        offset = offset_of(reading, system)
    finally:
        clock.close()
    ns = reading.clock_sns >> 16
    utc = format_utc(ns, LeapTable.find())
    facts = {
        "clock": clock.name,
        "time_ns": ns,
        "tai": format_ptp(ns),
        "utc": utc,
        "offset_ns": offset,
        "bound_ns": reading.bound_ns,
        "method": reading.method,
        "frequency_ppb": rate,
    }
    text = f"{clock.name}: {format_ptp(ns)} ({utc})"
    if clock.kind != "system":
        text += f"\n  {format_ns(offset)} ±{format_ns(reading.bound_ns).lstrip('+')} against the system clock"
        text += f" ({reading.method}, {reading.samples} readings)"
    text += f"\n  frequency {rate:+.3f} ppb" if rate is not None else "\n  its frequency needs the right to write it"
    return say(args, facts, text)


def set_(args: argparse.Namespace) -> int:
    from ptpstack.timebase.scales import format_ptp

    system = open_system(args)
    if args.clock == "system" and args.time == "system":
        raise Refused("the system clock shows its own time already; name another clock or another time")
    target_ns = None if args.time == "system" else instant_ns(args.time, system)
    clock = open_clock(args, args.clock, writable=True)
    try:
        # Twice: many drivers step by reading, adding and writing, which costs microseconds.
        for _ in range(2):
            reading = clock.cross_reading(9)
            if target_ns is None:
                clock.step(system.stamp_sns(reading.realtime_ns) - reading.clock_sns)
            else:
                clock.step((target_ns << 16) - clock.now_sns())
                break
        after_ns = clock.now_sns() >> 16
    finally:
        clock.close()
    return say(args, {"clock": clock.name, "time_ns": after_ns}, f"{clock.name}: set to {format_ptp(after_ns)}")


def adj(args: argparse.Namespace) -> int:
    if args.phase is not None:
        phc = open_phc(args.clock)
        try:
            phc.adjust_phase(args.phase)
        finally:
            phc.close()
        return say(args, {"clock": phc.name, "phase_ns": args.phase}, f"{phc.name}: phase {format_ns(args.phase)}")
    clock = open_clock(args, args.clock, writable=True)
    try:
        if args.step is not None:
            clock.step(args.step << 16)
            return say(
                args, {"clock": clock.name, "step_ns": args.step}, f"{clock.name}: stepped by {format_ns(args.step)}"
            )
        before = clock.frequency_ppb()
        took = clock.set_frequency(args.frequency)
        text = f"{clock.name}: frequency {took:+.3f} ppb (was {before:+.3f})"
        if abs(took - args.frequency) > 0.02:
            text += f"; {args.frequency:+.3f} ppb is beyond its range"
        return say(args, {"clock": clock.name, "frequency_ppb": took, "before_ppb": before}, text)
    finally:
        clock.close()


def cmp(args: argparse.Namespace) -> int:
    """Both against the system clock, within a moment; the bounds add."""
    system = open_system(args)
    a = system if args.clock == "system" else open_phc(args.clock, writable=False)
    b = system if args.other == "system" else open_phc(args.other, writable=False)
    shown = 0
    last: tuple[int, float] | None = None
    try:
        while True:
            first, second = a.cross_reading(args.samples), b.cross_reading(args.samples)
            # Each minus the system clock in PTP time: what that is cancels, but for what it drifts in between.
            offset = ((first.clock_sns - second.clock_sns) - ((first.realtime_ns - second.realtime_ns) << 16)) / 65536.0
            bound = first.bound_ns + second.bound_ns
            now = second.realtime_ns
            facts = {"clock": a.name, "other": b.name, "offset_ns": offset, "bound_ns": bound}
            text = f"{a.name} - {b.name}: {format_ns(offset)} ±{format_ns(bound).lstrip('+')}"
            if last is not None and now > last[0]:
                facts["rate_ppb"] = (offset - last[1]) / (now - last[0]) * 1e9
                text += f", {facts['rate_ppb']:+.1f} ppb"
            last = (now, offset)
            say(args, facts, text)
            shown += 1
            if args.count and shown >= args.count:
                return 0
            time.sleep(args.interval)
    finally:
        a.close()
        b.close()
