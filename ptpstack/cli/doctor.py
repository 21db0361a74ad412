"""``ptpstack doctor``: what an expert would find on this machine and its PTP network."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ptpstack.doctor.examine import Examination, Progress
    from ptpstack.doctor.findings import Finding
    from ptpstack.doctor.traffic.census import Census

_EPILOG = """\
examples:
  ptpstack doctor                                  the machine, every interface that is up, ten seconds of listening
  ptpstack doctor -i eth1 --listen 60              slow announce intervals, lossy networks
  ptpstack doctor --config /etc/ptpstack/site.toml and whether the network is what the file expects
  ptpstack doctor --json | jq '.findings[] | select(.severity == "error")'

Changes nothing on the machine. It sends one Delay_Req of domain 255 to try time stamps (docs/doctor.md says why nobody
can mistake it), and joins PTP's multicast groups while it listens. Runs without root as far as it can.

exit status: 0 nothing worse than a note, 1 warnings, 3 errors; 2 usage or unreadable file.
"""


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    parser = subparsers.add_parser(
        "doctor",
        help="look at this machine and its PTP network the way an expert would",
        description="Looks at rights, time programs, ports, firewall, links, time stamps, bridges, clocks, leap second "
        "tables, and at the PTP messages on the wire; says what is wrong, how that is known, and what to do.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-i", "--interface", action="append", default=[], metavar="IFACE", dest="interfaces", help="repeatable"
    )
    parser.add_argument("--listen", type=_seconds, default=10.0, metavar="SECONDS", help="default 10; 0: not at all")
    parser.add_argument("--config", metavar="FILE", help="a site file: look where it points, expect what it says")
    parser.add_argument(
        "--switch-on",
        action="store_true",
        help="switch the NIC's stamping on for the trial, and back (some NICs reset their clock or link then)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(func=run)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 86_400.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to 86400")
    return value


def run(args: argparse.Namespace) -> int:
    """0, 1 or 3 by the worst finding; 2 when the configuration cannot be read."""
    from ptpstack.config.findings import UnreadableError
    from ptpstack.doctor import site
    from ptpstack.doctor.examine import examine
    from ptpstack.doctor.findings import by_severity

    wishes = site.Wishes()
    told: list[Finding] = []
    if args.config is not None:
        try:
            wishes, told = site.read(args.config)
        except UnreadableError as error:
            print(f"ptpstack doctor: {error}", file=sys.stderr)
            return 2
    progress = _progress()
    examination = examine(args.interfaces, wishes, listen_s=args.listen, switch_on=args.switch_on, progress=progress)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    examination.findings = by_severity([*told, *examination.findings])
    if args.json:
        print(json.dumps(examination.as_dict(), indent=2))
    else:
        print("\n".join(render(examination)))
    return examination.exit_code


def _progress() -> Progress:
    """On a terminal a line that is written over; else one line, so that nobody wonders why nothing happens."""
    told = False

    def progress(gone: float, whole: float, census: Census) -> None:
        nonlocal told
        if sys.stderr.isatty():
            heard = f"{census.frames} frames, {len(census.speakers)} speakers"
            print(f"\r\x1b[Klistening {gone:.0f} of {whole:g} s: {heard}", end="", file=sys.stderr, flush=True)
        elif not told:
            print(f"ptpstack doctor: listening for {whole:g} s", file=sys.stderr, flush=True)
        told = True

    return progress


def render(examination: Examination) -> list[str]:
    """Worst first, what is alike together, with evidence and advice; what is in order on one line each; then what was
    not looked at."""
    from ptpstack.doctor.findings import OK, SEVERITIES

    lines = []
    findings = examination.findings
    alike: dict[tuple[str, str, str, str], list[Finding]] = {}
    for finding in findings:
        alike.setdefault((finding.severity, finding.id, finding.title, finding.advice), []).append(finding)
    for (severity, id_, title, advice), group in alike.items():
        if severity == OK:
            lines += [f"ok       {finding.subject}: {title}: {finding.evidence}" for finding in group]
            continue
        lines.append(f"{severity:8} {title}  [{id_}]")
        for finding in group:
            lines += _wrapped(f"{finding.subject}: {finding.evidence}", "  ")
        lines += _wrapped(f"-> {advice}", "   ") if advice else []
    if examination.unseen:
        lines += ["", "not looked at:"]
        lines += [f"  {unseen.what}: {unseen.why} ({unseen.how})" for unseen in examination.unseen]
    counts = [
        f"{number} {severity}{'s' if number > 1 else ''}"
        for severity in SEVERITIES[:3]
        if (number := sum(finding.severity == severity for finding in findings))
    ]
    heard = f", {examination.frames} PTP frames in {examination.listened_s:g} s" if examination.listened_s else ""
    where = ", ".join(examination.interfaces) or "no interface"
    lines += ["", f"{where}{heard}: {', '.join(counts) or 'nothing to complain of'}"]
    return lines


def _wrapped(text: str, hanging: str) -> list[str]:
    return textwrap.wrap(text, 112, initial_indent=" " * 9, subsequent_indent=" " * 9 + hanging)
