"""``ptpstack status``: what the running node is doing."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ptpstack.cli.graph import graph_lines, offset_text
from ptpstack.cli.node_access import NodeRefused, add_control_option, ask, understood
from ptpstack.cli.unicast import unicast_lines
from ptpstack.timebase.units import format_ns

_EPILOG = """\
exit status: 0 answered, 2 no node answers

examples:
  ptpstack status
  ptpstack status --watch                every second, until Ctrl-C, also while the node is started again
  ptpstack status --counters             with what was received, sent and dropped, and why
  ptpstack status --json | jq '.instances[].estimate'
  ptpstack status --events               a stream of events, one JSON object per line
"""

_STATE_STYLE = {
    "SLAVE": "green",
    "MASTER": "green",
    "PASSIVE": "cyan",
    "UNCALIBRATED": "yellow",
    "LISTENING": "yellow",
    "PRE_MASTER": "yellow",
    "FAULTY": "bold red",
    "DISABLED": "dim",
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "status",
        help="what the running node is doing",
        description="State, grandmaster, offset with its bound, path delay and counters of a running node.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_control_option(parser)
    parser.add_argument("--watch", nargs="?", type=_seconds, const=1.0, metavar="SECONDS", help="again and again")
    parser.add_argument("--json", action="store_true", help="one JSON object (with --watch: one per line)")
    parser.add_argument("--counters", action="store_true", help="also show counters")
    parser.add_argument("--events", action="store_true", help="stream events instead")
    parser.set_defaults(func=run)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.1 <= value <= 86_400.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0.1 to 86400")
    return value


def run(args: argparse.Namespace) -> int:
    try:
        if args.events:
            return _events(args.control)
        if args.watch is not None:
            return _watch(args)
        status = ask(args.control, "status")
        if args.json:
            print(json.dumps(status, indent=2))
        else:
            with understood(args.control):
                picture = render(status, counters=args.counters)
            _console().print(picture)
    except NodeRefused as refused:
        return refused.status
    return 0


def _console() -> Console:
    # a pipe has no width: do not fold what a script will read
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def _events(path: str) -> int:
    from ptpstack.node.client import ControlClient, ControlUnavailable

    try:
        with ControlClient(path) as client:
            for event in client.events():
                print(json.dumps(event), flush=True)
    except ControlUnavailable as error:
        print(f"ptpstack: {error}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"ptpstack: {error}", file=sys.stderr)
        return 1
    return 0


def _watch(args: argparse.Namespace) -> int:
    """Until Ctrl-C. Only the first look has to succeed: a node that is started again is waited for."""
    first = ask(args.control, "status")
    looks = _looks(args.control, args.watch, first)
    if args.json or not sys.stdout.isatty():
        told = ""
        for status, problem in looks:
            if problem and problem != told:
                print(f"ptpstack: {problem}", file=sys.stderr)
            told = problem
            if not problem and args.json:
                print(json.dumps(status), flush=True)
            elif not problem:
                with understood(args.control):
                    picture = render(status, counters=args.counters)
                _console().print(picture)
    problem = ""
    try:
        with Live(screen=True, auto_refresh=False) as live:
            for status, problem in looks:
                picture = _picture(status, args.counters)
                if problem:
                    picture = Group(Text(f"{problem}; trying again", style="bold red"), picture)
                live.update(picture, refresh=True)
    finally:
        # only now: what is written to the alternate screen goes with it
        if problem:
            print(f"ptpstack: {problem}", file=sys.stderr)
    return 0


def _looks(path: str, interval_s: float, first: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """For ever: the last status that came, and why there is none now, or ""."""
    from ptpstack.node.client import ControlClient, ControlUnavailable

    status, problem = first, ""
    while True:
        yield status, problem
        time.sleep(interval_s)
        try:
            with ControlClient(path) as client:
                status, problem = client.request("status"), ""
        except (ControlUnavailable, ValueError) as error:
            problem = str(error)


def _picture(status: dict[str, Any], counters: bool) -> RenderableType:
    try:
        return render(status, counters=counters)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        return Text(f"the answer is not understood ({type(error).__name__}: {error})", style="bold red")


def render(status: dict[str, Any], *, counters: bool = False) -> RenderableType:
    """The status as people read it, 80 columns wide: the node, its instances, its clocks."""
    lines = [Text(_head(status), style="bold")]
    for instance in status["instances"]:
        lines += _instance(instance)
    lines += _links(status["link_delay_service"])
    for transparent in status["transparent"]:
        lines += _transparent(transparent)
    lines += [Text(line) for line in graph_lines(status)]
    lines += [Text(line, style="yellow") for line in _remarks(status)]
    parts: list[RenderableType] = list(lines)
    if counters:
        parts.append(_counters(status))
    return Group(*parts)


def _head(status: dict[str, Any]) -> str:
    up = int(status["uptime_s"])
    text = f"{status['node']}: ptpstack {status['version']}, up {up // 3600}:{up // 60 % 60:02d}:{up % 60:02d}"
    return text + (
        f", recording to {status['record']}" if status.get("record") and not status["record_problem"] else ""
    )


def _instance(instance: dict[str, Any]) -> Iterator[Text]:
    grandmaster = instance["grandmaster"]
    yield Text(f"{instance['name']}: domain {instance['domain']}, {instance['profile']}", style="bold")
    if instance["is_grandmaster"]:
        yield Text(f"  grandmaster {grandmaster['identity']}, our own clock, class {grandmaster['clock_class']}")
    elif instance["parent"].endswith("-0"):
        better = _better_master(instance)
        quality = instance["quality"]["clock_class"]
        yield Text(
            f"  {better} serves here; our own clock, class {quality}, stays ready"
            if better
            else "  no grandmaster is followed"
        )
    else:
        steps = instance["steps_removed"]
        yield Text(f"  grandmaster {grandmaster['identity']}, {steps} step(s) away, class {grandmaster['clock_class']}")
    width = max(len(port["channel"]) for port in instance["ports"])
    for port in instance["ports"]:
        line = Text(f"  {port['number']:>2} {port['channel']:<{width}}  ")
        line.append(f"{port['state']:<12}", style=_STATE_STYLE.get(port["state"], ""))
        if port["state"] in ("SLAVE", "UNCALIBRATED"):
            line.append(f" {offset_text(instance['estimate'])}")
            if instance["mean_path_delay_ns"] is not None:
                line.append(f", delay {format_ns(instance['mean_path_delay_ns']).lstrip('+')}")
            servo = instance["servo"]
            line.append(f", {servo['state']}{'' if servo['steers'] else ' (watching)'}")
        if port.get("mean_link_delay_ns") is not None:
            line.append(f", link delay {format_ns(port['mean_link_delay_ns']).lstrip('+')}")
        security = port["security"]
        if security is not None:
            key = security["signing_key"]
            line.append(" no key to sign with" if key is None else f" signs with key {key}", style="dim")
        gptp = port.get("gptp")
        if gptp is not None and gptp["as_capable"]:
            line.append(", asCapable" + (", syncLocked" if gptp["sync_locked"] else ""), style="dim")
        yield line
        if gptp is not None and not gptp["as_capable"]:
            yield Text(f"     not asCapable: {gptp['decision']['reason']}", style="yellow")
        for text in unicast_lines(port):
            yield Text(f"     {text}")


def _links(service: dict[str, Any] | None) -> Iterator[Text]:
    if service is None:
        return
    yield Text("common mean link delay service", style="bold")
    width = max(len(link["channel"]) for link in service["links"])
    for link in service["links"]:
        measured = (
            f"{format_ns(link['mean_link_delay_ns']).lstrip('+')} to {link['neighbor']}"
            if link["valid"]
            else "nobody answers"
            if link["state"] == "PASSIVE"
            else link["state"]
        )
        yield Text(f"  {link['number']:>2} {link['channel']:<{width}}  {measured}, for {', '.join(link['users'])}")


def _transparent(transparent: dict[str, Any]) -> Iterator[Text]:
    yield Text(f"{transparent['name']}: transparent clock, {transparent['delay_mechanism']}", style="bold")
    for rate in transparent["rate_ratios"]:
        known = "not known yet" if rate["rate_ppb"] is None else f"{rate['rate_ppb']:+.0f} ppb against our clock"
        yield Text(f"  domain {rate['domain']}: master {rate['master']}, {known}")
    width = max(len(port["channel"]) for port in transparent["ports"])
    for port in transparent["ports"]:
        residence = port["residence_ns"]
        dropped = sum(count for name, count in port["counters"].items() if name.startswith("drop-"))
        said = [
            "an instance is here" if port["inside"] else "",
            "" if residence is None else f"newest residence {format_ns(residence).lstrip('+')}",
            f"{dropped} dropped" if dropped else "",
        ]
        if port.get("mean_link_delay_ns") is not None:
            said.insert(0, f"link delay {format_ns(port['mean_link_delay_ns']).lstrip('+')} to {port['neighbor']}")
        state = "up" if port["up"] else "down"
        yield Text(f"     {port['channel']:<{width}}  {state:<4}  " + ", ".join(filter(None, said)))
        if port.get("reason"):
            yield Text(f"     {'':<{width}}  link delay not known: {port['reason']}", style="yellow")


def _better_master(instance: dict[str, Any]) -> str:
    """The grandmaster for which a port of ours is PASSIVE, or ""."""
    for port in instance["ports"]:
        best = ((port["decision"] or {}).get("inputs") or {}).get("Erbest")
        if port["state"] == "PASSIVE" and best:
            return f"grandmaster {best['grandmasterIdentity']}"
    return ""


def _remarks(status: dict[str, Any]) -> Iterator[str]:
    """What the tables do not show and a person should know."""
    if not status["netlink"]:
        yield status["netlink_missing"]
    yield from status["identity_conflicts"]
    waiting = status["apply"]
    if waiting:
        yield (
            f"a change by {waiting['by']} ({waiting['file']}) is taken back in {waiting['left_s']} s unless confirmed "
            "(ptpstack apply --confirm)"
        )
    for clock in status["clocks"]:
        if clock["foreign"]["last"]:
            count = clock["foreign"]["changes"] + clock["foreign"]["steps"]
            yield f"{clock['foreign']['last']} ({count}x, {clock['foreign']['age_s']:.0f} s ago)"
    if status["record_problem"]:
        yield f"{status['record']}: {status['record_problem']}"
    if status["leap"]["state"] != "valid":
        yield status["leap"]["message"]
    for channel in status["channels"]:
        missing = channel["counters"].get("tx_stamp_missing", 0)
        if missing:
            yield f"{channel['name']}: {missing} transmit time stamps never came"
        if channel["member_changes"]:
            changes, member = channel["member_changes"], channel["stack"][-1]
            yield f"{channel['name']}: another member became active {changes}x, now {member}"
        if channel["problem"]:
            yield f"{channel['name']}: not open, tried again every second: {channel['problem']}"
        elif channel["link_up"] is False:
            yield f"{channel['name']}: link down"
    for instance in status["instances"]:
        if instance["time"]["utc_offset_s"] is None and not instance["is_grandmaster"]:
            yield f"{instance['name']}: UTC is not known: {instance['time']['reason']}"


def _counters(status: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("WHERE")
    table.add_column("COUNTER")
    table.add_column("VALUE", justify="right")
    for instance in status["instances"]:
        for port in instance["ports"]:
            for name, value in port["counters"].items():
                table.add_row(f"{instance['name']}/{port['number']}", name, str(value))
    for transparent in status["transparent"]:
        for port in transparent["ports"]:
            for name, value in port["counters"].items():
                table.add_row(f"{transparent['name']} {port['channel']}", name, str(value))
    for reference in status["references"]:
        for name, value in (reference["pulses"] or {"counters": {}})["counters"].items():
            table.add_row(f"reference of {reference['clock']}", name, str(value))
    for channel, values in status["unrouted"].items():
        for name, value in values.items():
            table.add_row(channel, name, str(value))
    for channel in status["channels"]:
        for name, value in channel["counters"].items():
            if value:
                table.add_row(channel["name"], name, str(value))
    return table
