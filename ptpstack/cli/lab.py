"""``ptpstack lab``: run nodes in network namespaces and see how well they keep time.

Exit status: 0 it ran as told, 1 something went wrong in the lab (the report says what), 2 the topology cannot be run,
3 this machine does not allow it, 130 ended by Ctrl-C (the report is still written).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ptpstack.lab.errors import LabError, Problem, TopologyError
from ptpstack.lab.topology import Topology
from ptpstack.lab.topology_file import builtin_labs, load_topology

_EPILOG = """\
examples:
  ptpstack lab list                        what there is
  ptpstack lab run pair                    a grandmaster and a client, half a minute
  ptpstack lab run hospital --live         watch three departments lose and regain their grandmaster
  ptpstack lab run three-gm --json out.json
  ptpstack lab run my-lab.toml --for 120 --keep-logs logs/
  ptpstack lab check my-lab.toml           say what is wrong with it, run nothing
  ptpstack lab sweep                       remove what a killed run may have left

A lab needs no privilege where the kernel allows user namespaces, root elsewhere. It makes all interfaces in
namespaces of its own, steers only simulated clocks, and leaves nothing behind.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``lab`` and its subcommands."""
    lab = subparsers.add_parser(
        "lab",
        help="run nodes in network namespaces",
        description="Test beds of network namespaces that run real nodes over simulated clocks.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    lab.set_defaults(func=run, lab_command=None, lab_parser=lab)
    commands = lab.add_subparsers(title="commands", dest="lab_command", metavar="COMMAND")
    raw = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser("run", help="run a lab and report", epilog=_EPILOG, formatter_class=raw)
    command.add_argument("lab", metavar="NAME|FILE", help="a built-in lab or a topology file")
    command.add_argument(
        "--for",
        dest="seconds",
        type=_seconds,
        metavar="SECONDS",
        help="lab time; events and phases keep their share of it",
    )
    command.add_argument("--json", metavar="REPORT", help="write the report as JSON to this file, - for stdout")
    command.add_argument("--live", action="store_true", help="watch it (plain lines when stdout is no terminal)")
    command.add_argument("--keep-logs", type=Path, metavar="DIR", help="keep sites and logs of the nodes there")
    command.add_argument(
        "--rate", type=_rate, default=5.0, metavar="HZ", help="looks at each node per second (default 5)"
    )
    commands.add_parser("list", help="list the built-in labs")
    command = commands.add_parser("show", help="print a lab's topology")
    command.add_argument("lab", metavar="NAME|FILE")
    command = commands.add_parser("check", help="check a topology file without running it")
    command.add_argument("lab", metavar="FILE")
    command.add_argument("--json", action="store_true", help="problems as JSON")
    commands.add_parser("sweep", help="remove what killed runs have left")


def _seconds(text: str) -> float:
    value = float(text)
    if not 1.0 <= value <= 86_400.0:
        raise argparse.ArgumentTypeError(f"{text}: a lab lasts 1 to 86400 s")
    return value


def _rate(text: str) -> float:
    value = float(text)
    if not 0.2 <= value <= 20.0:
        raise argparse.ArgumentTypeError(f"{text}: 0.2 to 20 looks per second")
    return value


def run(args: argparse.Namespace) -> int:
    """Carry out one subcommand; returns the exit status."""
    commands: dict[str, Callable[[argparse.Namespace], int]] = {
        "run": _run,
        "list": _list,
        "show": _show,
        "check": _check,
        "sweep": _sweep,
    }
    if args.lab_command is None:
        args.lab_parser.print_help()
        return 2
    try:
        return commands[args.lab_command](args)
    except TopologyError as error:
        _print_problems(error)
        return 2
    except LabError as error:
        print(f"ptpstack lab: {error}", file=sys.stderr)
        return 3
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"ptpstack lab: {where}{error.strerror or error}", file=sys.stderr)
        return 3


def _print_problems(error: TopologyError) -> None:
    print(f"{error.source}: {len(error.problems)} problem{'s' if len(error.problems) > 1 else ''}", file=sys.stderr)
    for problem in error.problems:
        print(f"  {problem.path}: {problem.reason}\n    fix: {problem.fix}", file=sys.stderr)


def _run(args: argparse.Namespace) -> int:
    topology = _load(args.lab)
    if args.seconds is not None:
        topology = topology.lasting(args.seconds)
    # find out now, not after the lab has run
    if args.json not in (None, "-"):
        _writable(Path(args.json))
    if args.keep_logs is not None:
        _takes_files(args.keep_logs)
    # imports below take time (netlink, rich's live display) that `lab list` need not spend
    from ptpstack.lab.live import LiveView, PlainView
    from ptpstack.lab.privilege import gain_namespaces
    from ptpstack.lab.render import print_report, to_json
    from ptpstack.lab.report import make_report
    from ptpstack.lab.runner import run_lab

    gain_namespaces()
    console = Console(file=sys.stderr if args.json == "-" else sys.stdout)
    view = LiveView(console) if args.live and console.is_terminal else PlainView(console)
    with view:
        recording = run_lab(topology, observer=view, rate_hz=args.rate, keep_logs=args.keep_logs)
    report = make_report(recording)
    unwritten = ""
    if args.json not in (None, "-"):
        # before it is shown: whoever reads the screen may leave, and after a failure the screen is what is left
        try:
            Path(args.json).write_text(to_json(report), encoding="utf-8")
        except OSError as error:
            unwritten = f"the report could not be written to {args.json}: {error.strerror or error}"
    try:
        print_report(report, console)
        if args.json == "-":
            sys.stdout.write(to_json(report))
            sys.stdout.flush()
    finally:
        if unwritten:
            print(f"ptpstack lab: {unwritten}", file=sys.stderr)
    if report.interrupted:
        return 130
    return 1 if report.failed or unwritten else 0


def _load(name_or_path: str) -> Topology:
    """With the nodes' sites checked too: a lab should not fail half a minute later for a misspelt key."""
    from ptpstack.lab.sitefile import site_problems

    try:
        topology = load_topology(name_or_path)
        problems = site_problems(topology)
    except RecursionError:
        problem = Problem("(file)", "arrays or tables are nested too deeply", "No key of a lab or a site needs that")
        raise TopologyError(name_or_path, (problem,)) from None
    if problems:
        raise TopologyError(topology.source, tuple(problems))
    return topology


def _writable(path: Path) -> None:
    try:
        # not blocking: a pipe without a reader is refused, not waited for
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o666))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LabError(f"the report cannot be written to {path}: {reason}. Give another --json") from error


def _takes_files(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory) as probe:
            probe.write(b"x")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise LabError(f"logs cannot be kept in {directory}: {reason}. Give another --keep-logs") from error


def _list(args: argparse.Namespace) -> int:
    for name in builtin_labs():
        topology = load_topology(name)
        print(f"{name:18} {topology.duration_s:4g} s  {' '.join(topology.description.split())}")
    return 0


def _show(args: argparse.Namespace) -> int:
    Console().print(_drawing(load_topology(args.lab)))
    return 0


def _drawing(topology: Topology) -> Text:
    """The topology as indented text: switches with what is plugged in, pairs, nodes, what will happen."""
    lines = [f"{topology.name}: {' '.join(topology.description.split())}", f"lasts {topology.duration_s:g} s", ""]
    nodes = {
        host.name: ", ".join(_node(n.label, n.kind, n.role, host.name) for n in topology.nodes if n.host == host.name)
        for host in topology.hosts
    }
    for switch in topology.switches:
        lines.append(f"[{switch}]")
        plugged = [(host, link) for host in topology.hosts for link in host.links if link.switch == switch]
        for index, (host, link) in enumerate(plugged):
            branch = "└─" if index == len(plugged) - 1 else "├─"
            lines.append(f" {branch} {host.name + ':' + link.interface:22} {link.address:16} {nodes[host.name]}")
    pairs = {
        tuple(sorted(((host.name, link.interface, link.address), _far(topology, link.peer))))
        for host in topology.hosts
        for link in host.links
        if link.peer is not None
    }
    lines += [f"{a[0]}:{a[1]} {a[2]} ─── {b[0]}:{b[1]} {b[2]}" for a, b in sorted(pairs)]
    if pairs:
        lines += ["", *(f"{name:22} {text}" for name, text in nodes.items() if text)]
    if topology.events:
        lines += ["", *(f"{event.at_s:6.1f} s  {event}" for event in topology.events)]
    if topology.phases:
        lines += ["", *(f"{p.name}: {p.from_s:g} to {p.to_s:g} s" for p in topology.phases)]
    return Text("\n".join(lines))


def _far(topology: Topology, peer: tuple[str, str]) -> tuple[str, str, str]:
    link = next(link for link in topology.host(peer[0]).links if link.interface == peer[1])
    return (*peer, link.address)


def _node(label: str, kind: str, role: str, host: str) -> str:
    words = [word for word in (label if label != host else "", kind, role) if word]
    return " ".join(words)


def _check(args: argparse.Namespace) -> int:
    try:
        topology = _load(args.lab)
    except TopologyError as error:
        if not args.json:
            raise
        problems = [{"path": p.path, "reason": p.reason, "fix": p.fix} for p in error.problems]
        print(json.dumps({"ok": False, "problems": problems}, indent=2))
        return 2
    if args.json:
        print(json.dumps({"ok": True, "problems": []}))
    else:
        count = f"{len(topology.hosts)} hosts, {len(topology.nodes)} nodes, {len(topology.events)} events"
        print(f"{topology.source}: fine ({count})")
    return 0


def _sweep(args: argparse.Namespace) -> int:
    from ptpstack.lab.rundir import sweep

    swept = sweep()
    for entry in swept:
        print(entry)
    if not swept:
        print("nothing to sweep: no dead run has left anything")
    return 0
