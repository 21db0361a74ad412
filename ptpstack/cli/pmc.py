"""``ptpstack pmc``: ask PTP nodes for their data sets, and set them, with the commands of linuxptp's pmc."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from ptpstack import __version__
from ptpstack.config.findings import ConfigError
from ptpstack.node.management_client import (
    DEFAULT_SOCKET,
    LocalTransport,
    ManagementClient,
    ManagementUnavailable,
    NetworkTransport,
    Transport,
)
from ptpstack.wire.management.commands import (
    Ask,
    CommandError,
    Target,
    answer_json,
    answer_lines,
    help_lines,
    parse,
)
from ptpstack.wire.messages import Management
from ptpstack.wire.tlvs.management import ManagementErrorStatus

_EPILOG = """\
Commands: GET ID, SET ID VALUE, COMMAND ID (CMD), TARGET PORT (or *), help. Without commands they are read from the
standard input, one to a line. IDs may be abbreviated.

examples:
  ptpstack pmc 'GET CURRENT_DATA_SET' 'GET PARENT_DATA_SET'
  ptpstack pmc -s /run/ptpstack/management-ro 'GET TIME_STATUS_NP'
  ptpstack pmc -s /var/run/ptp4l 'SET PRIORITY1 100'              ptp4l's socket does as well
  ptpstack pmc -f /etc/linuxptp/ptp4l.conf -u 'GET PORT_DATA_SET'
  ptpstack pmc -4 -i eth0 -d 24 'GET DEFAULT_DATA_SET'            everybody in domain 24 that eth0 reaches
  ptpstack pmc -4 -i eth0 --to 192.0.2.7 'GET CLOCK_DESCRIPTION'  one node, by unicast
  ptpstack pmc --json 'GET PORT_DATA_SET' | jq .data.portState.meaning
  ptpstack pmc 'TARGET 001b21.fffe.aabbcc-1' 'COMMAND DISABLE_PORT'
  ptpstack pmc --listen 60 'SET SUBSCRIBE_EVENTS_NP duration 60 NOTIFY_PORT_STATE on NOTIFY_TIME_SYNC off
    NOTIFY_PARENT_DATA_SET on NOTIFY_CMLDS off'

exit status: 0 every request was answered; 1 some were refused or not answered; 2 usage, or nobody to ask.
"""
_REFUSED, _UNAVAILABLE = 1, 2
#: with --linuxptp
_CANNOT_BEGIN = 255


def _number(low: int, high: int, base: int = 10) -> Callable[[str], int]:
    def parse_number(text: str) -> int:
        try:
            number = int(text, base)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of {low}..{high}")
        return number

    return parse_number


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "pmc",
        help="ask PTP nodes for their data sets, and set them",
        description="Ask PTP nodes for their data sets, and set them (IEEE 1588 management messages).",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help="such as 'GET CURRENT_DATA_SET'")
    parser.add_argument(
        "--linuxptp",
        action="store_true",
        help="as linuxptp's pmc: UDP/IPv4 on eth0 or socket /var/run/ptp4l, its layout, ends with 0, or 255: no start",
    )
    parser.add_argument("-v", "--version", action="version", version=f"ptpstack {__version__}")
    parser.add_argument("-f", "--file", metavar="FILE", help="take transport, socket, domain, sdoId from a ptp4l.conf")
    transport = parser.add_mutually_exclusive_group()
    for flag, name, text in (
        ("-u", "local", "Unix socket (default)"),
        ("-2", "l2", "IEEE 802.3"),
        ("-4", "udp4", "UDP/IPv4"),
        ("-6", "udp6", "UDP/IPv6"),
    ):
        transport.add_argument(flag, dest="transport", action="store_const", const=name, help=text)
    parser.add_argument("-i", "--interface", metavar="IF|PATH", help="interface; with -u: path of our own socket")
    parser.add_argument(
        "-s",
        "--socket",
        "--uds_address",
        metavar="PATH",
        help=f"the node's management socket (default: $PTPSTACK_MANAGEMENT or {DEFAULT_SOCKET})",
    )
    parser.add_argument("--to", metavar="ADDRESS", help="ask one address by unicast, not the group")
    parser.add_argument(
        "-b",
        "--hops",
        type=_number(0, 255),
        default=1,
        metavar="N",
        help="boundary hops (default 1: and its neighbours)",
    )
    parser.add_argument(
        "-d", "--domain", "--domainNumber", type=_number(0, 255), metavar="N", help="domain (default 0)"
    )
    parser.add_argument("-t", "--major-sdo-id", type=_number(0, 15, 16), metavar="HEX", help="default 0")
    parser.add_argument("--transportSpecific", dest="major_sdo_id", type=_number(0, 15, 0), help=argparse.SUPPRESS)
    parser.add_argument("-z", "--empty-get", action="store_true", help="send GETs without data")
    parser.add_argument("--timeout", type=float, default=1.0, metavar="S", help="wait for an answer (default 1 s)")
    parser.add_argument("--listen", type=float, default=0.0, metavar="S", help="then show what else comes")
    parser.add_argument("--json", action="store_true", help="one JSON object per line and answer")
    parser.set_defaults(func=run)


def _transport(options: argparse.Namespace) -> Transport:
    if options.transport == "local":
        if options.to:
            raise ManagementUnavailable("--to needs a network: add -4, -6 or -2, and -i")
        return LocalTransport(options.socket, options.interface)
    if not options.interface:
        raise ManagementUnavailable("which interface? Add -i, such as -i eth0")
    return NetworkTransport(options.interface, options.transport, options.to)


class _Session:
    def __init__(self, client: ManagementClient, options: argparse.Namespace) -> None:
        self._client = client
        self._options = options
        self.status = 0

    def command(self, line: str) -> None:
        if line.strip().lower() in ("help", "?"):
            print("\n".join(help_lines()))
            return
        try:
            command = parse(line, self._options.empty_get)
        except CommandError as error:
            print(f"ptpstack pmc: {error}", file=sys.stderr)
            self.status = _UNAVAILABLE
            return
        if isinstance(command, Target):
            self._client.target = command.identity
            return
        if not self._options.json:
            print(f"sending: {command.text.replace('NULL_PTP_', 'NULL_')}")
        self._ask(command)

    def _ask(self, command: Ask) -> None:
        sequence_id = self._client.send(command)
        answered = False
        for answer in self._client.answers(self._options.timeout):
            self.show(answer)
            answered = answered or answer.sequence_id == sequence_id
        if not answered:
            self._refused()
            options = self._options
            print(
                f"ptpstack pmc: no answer to {command.text} within {options.timeout:g} s: is domain {options.domain} "
                f"(-d) the node's, is majorSdoId {options.major_sdo_id:X} (-t)?",
                file=sys.stderr,
            )

    def _refused(self) -> None:
        self.status = self.status or _REFUSED

    def show(self, answer: Management) -> None:
        if any(isinstance(tlv, ManagementErrorStatus) for tlv in answer.tlvs):
            self._refused()
        if self._options.json:
            print(json.dumps(answer_json(answer)), flush=True)
            return
        lines = answer_lines(answer)
        if self._options.linuxptp:
            from ptpstack.linuxptp.commands.pmc import layout

            lines = layout(lines)
        print("\n".join(lines), flush=True)


def _complete(options: argparse.Namespace) -> None:
    """What the command line leaves open: from the file, else the defaults. ConfigError for the file."""
    from_file: dict[str, Any] = {}
    if options.file is not None:
        from ptpstack.linuxptp.commands.pmc import options_of

        from_file = options_of(options.file)
    theirs = {"transport": "udp4", "socket": "/var/run/ptp4l"}
    ours = {"transport": "local", "socket": os.environ.get("PTPSTACK_MANAGEMENT", DEFAULT_SOCKET)}
    defaults = {"domain": 0, "major_sdo_id": 0, **(theirs if options.linuxptp else ours), **from_file}
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    if options.linuxptp and options.transport != "local" and options.interface is None:
        options.interface = "eth0"


def run(options: argparse.Namespace) -> int:
    try:
        _complete(options)
        transport = _transport(options)
    except (ManagementUnavailable, ConfigError) as error:
        print(f"ptpstack pmc: {error}", file=sys.stderr)
        # a socket that nobody serves is silence to linuxptp's pmc; without its file or interface it cannot begin
        silence = options.transport == "local" and not isinstance(error, ConfigError)
        theirs = 0 if silence else _CANNOT_BEGIN
        return theirs if options.linuxptp else _UNAVAILABLE
    status = _ask_all(transport, options)
    # it ends with 0 when nobody answers, too, and scripts with `set -e` count on that
    return 0 if options.linuxptp else status


def _ask_all(transport: Transport, options: argparse.Namespace) -> int:
    try:
        with ManagementClient(
            transport, domain=options.domain, sdo_id=options.major_sdo_id << 8, hops=options.hops
        ) as client:
            session = _Session(client, options)
            lines: Iterable[str] = options.commands or sys.stdin
            for line in lines:
                if line.strip():
                    session.command(line)
            if options.listen > 0:
                for answer in client.answers(options.listen, options.listen):
                    session.show(answer)
            return session.status
    except ManagementUnavailable as error:
        print(f"ptpstack pmc: {error}", file=sys.stderr)
        return _UNAVAILABLE
