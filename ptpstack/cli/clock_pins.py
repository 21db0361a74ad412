"""``ptpstack clock extts|perout|pins|pps|vclocks``: what goes into a PTP hardware clock and what comes out of it."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from ptpstack.cli.clock_common import Refused, instant_ns, open_phc, open_system, path_of, say
from ptpstack.timebase.units import NS_PER_S, format_ns

if TYPE_CHECKING:
    from ptpstack.clocks.base import ExternalTimestamp
    from ptpstack.clocks.phc import LinuxPhc


def extts(args: argparse.Namespace) -> int:
    from ptpstack.clocks.base import ClockError

    phc = open_phc(args.clock)
    try:
        grant = phc.request_external_timestamps(args.channel, pin=args.pin, edge=args.edge)
        if grant.note:
            print(f"ptpstack clock extts: {grant.note}", file=sys.stderr)
        try:
            return _events(args, phc)
        finally:
            try:
                phc.request_external_timestamps(args.channel, edge=args.edge, enable=False)
            except ClockError as error:
                if not error.gone:
                    raise
    finally:
        phc.close()


def _events(args: argparse.Namespace, phc: LinuxPhc) -> int:
    import select

    poll = select.poll()
    poll.register(phc.fileno(), select.POLLIN)
    shown = 0
    while True:
        if not poll.poll(None if args.timeout is None else args.timeout * 1000):
            print(
                f"ptpstack clock extts: no edge at input {args.channel} for {args.timeout:g} s: is the signal "
                "there, and on the right pin?",
                file=sys.stderr,
            )
            return 1
        for event in phc.read_external_timestamps():
            _show(args, event)
            shown += 1
            if args.count and shown >= args.count:
                return 0


def _show(args: argparse.Namespace, event: ExternalTimestamp) -> None:
    from ptpstack.timebase.scales import format_ptp

    ns = event.clock_sns >> 16
    off = (ns + NS_PER_S // 2) % NS_PER_S - NS_PER_S // 2
    text = f"input {event.channel}: {format_ptp(ns)}, {format_ns(off)} from the full second"
    say(args, {"channel": event.channel, "time_ns": ns, "from_second_ns": off}, text)


def perout(args: argparse.Namespace) -> int:
    from ptpstack.timebase.scales import format_ptp

    start = None if args.start is None else instant_ns(args.start, open_system(args)) << 16
    phc = open_phc(args.clock)
    try:
        grant = phc.set_periodic_output(
            args.channel,
            period_ns=0 if args.off else args.period,
            start_sns=start,
            pin=args.pin,
            pulse_ns=args.pulse,
        )
    finally:
        phc.close()
    if grant.note:
        print(f"ptpstack clock perout: {grant.note}", file=sys.stderr)
    facts = asdict(grant) | {"clock": phc.name, "start_ns": grant.start_sns >> 16}
    del facts["start_sns"]
    text = f"{phc.name}: output {grant.channel} off"
    if grant.period_ns:
        pin = "" if grant.pin is None else f" on pin {grant.pin}"
        text = f"{phc.name}: output {grant.channel}{pin} every {format_ns(grant.period_ns).lstrip('+')}"
        text += f" from {format_ptp(grant.start_sns >> 16)}; after a step of the clock, set it again"
    return say(args, facts, text)


def pins(args: argparse.Namespace) -> int:
    phc = open_phc(args.clock, writable=args.set is not None)
    try:
        if args.set is not None:
            pin, _, rest = args.set.partition("=")
            function, _, channel = rest.partition(":")
            if not pin.isdigit() or not (channel or "0").isdigit():
                raise Refused(f"{args.set!r} is not PIN=FUNCTION[:CHANNEL], such as 1=extts:0")
            phc.set_pin(int(pin), function, int(channel or 0))
        pins = phc.pins()
    finally:
        phc.close()
    if args.json:
        print(json.dumps([asdict(pin) for pin in pins], indent=2))
        return 0
    for one in pins:
        print(f"{one.index}  {one.name:<12}  {one.function}{f' {one.channel}' if one.function != 'none' else ''}")
    if not pins:
        print(f"{phc.name} has no programmable pins: its inputs and outputs are wired")
    return 0


def pps(args: argparse.Namespace) -> int:
    phc = open_phc(args.clock)
    try:
        phc.enable_pps(args.state == "on")
    finally:
        phc.close()
    return say(args, {"clock": phc.name, "pps": args.state == "on"}, f"{phc.name}: PPS {args.state}")


def vclocks(args: argparse.Namespace) -> int:
    from ptpstack.clocks.open import describe_clocks, set_virtual_clocks

    path = path_of(args.clock)
    if args.number is not None:
        set_virtual_clocks(path, args.number)
    found = next((clock for clock in describe_clocks() if clock.path == path), None)
    if found is None:
        raise Refused(f"{path} is no PTP hardware clock; `ptpstack clocks` lists those that are there")
    devices = [f"/dev/ptp{index}" for index in found.virtual_clocks]
    text = f"{path}: {', '.join(devices)}" if devices else f"{path}: no virtual clocks"
    return say(args, {"clock": path, "virtual_clocks": devices}, text)
