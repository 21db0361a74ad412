"""``ptpstack run``, ``gm``, ``bc``, ``oc``, ``tc``: run a node in the foreground."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from typing import Any

from ptpstack.config.findings import ConfigError
from ptpstack.config.load import load_site, site_for_roles
from ptpstack.config.model import Site
from ptpstack.node.client import DEFAULT_SOCKET

_EXAMPLES = {
    "run": """\
examples:
  ptpstack run site.toml
  ptpstack run site.toml --record /var/tmp/site.trace.gz   (then: ptpstack replay /var/tmp/site.trace.gz)
""",
    "gm": """\
A grandmaster's time comes from the system clock unless a site file says otherwise; it is announced as class 248
until something better is configured.

examples:
  ptpstack gm -i eth1
  ptpstack gm -i eth1 --transport l2 --domain 24 --priority1 10
  ptpstack gm -i eth1 --profile hospital-theatre
""",
    "bc": """\
examples:
  ptpstack bc -i swp1 -i swp2 -i swp3
  ptpstack bc -i swp1 -i swp2 --domain 10 --transport l2
""",
    "tc": """\
A transparent clock is a software bridge: give it interfaces that are in no kernel bridge. What is no PTP passes
untouched; PTP passes with the time that it has spent inside accounted for. It follows no master and steers no clock.

examples:
  ptpstack tc -i eth1 -i eth2
  ptpstack tc -i swp1 -i swp2 -i swp3 --stamping software
  ptpstack tc -i eth1 -i eth2 -P P2P --transport l2 --domain 254      peer-to-peer: every port measures its link
""",
    "oc": """\
examples:
  ptpstack oc -i eth0 --client-only
  ptpstack oc -i eth0 --client-only --steer         let it steer the system clock (software time stamps)
  ptpstack oc -i veth0 --client-only --simulated    a simulated clock over the kernel's time stamps: touches nothing
""",
}
_HELP = {
    "run": "run a node from a site file",
    "gm": "run a grandmaster",
    "bc": "run a boundary clock",
    "oc": "run an ordinary clock",
    "tc": "run a transparent clock (a software bridge)",
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    for name in ("run", "gm", "bc", "oc", "tc"):
        parser = subparsers.add_parser(
            name,
            help=_HELP[name],
            description=_HELP[name].capitalize() + ".",
            epilog=_EXAMPLES[name],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.set_defaults(func=run, role=name)
        if name == "run":
            parser.add_argument("site", metavar="SITE.toml", help="what to run; `ptpstack check` explains its mistakes")
        else:
            _add_role_options(parser, name)
        node = parser.add_argument_group("node")
        node.add_argument("--control", metavar="PATH", help=f"control socket (default {DEFAULT_SOCKET})")
        node.add_argument(
            "--management", metavar="PATH", help="management socket, for ptpstack pmc, pmc and phc2sys (default: none)"
        )
        node.add_argument(
            "--io-loop",
            choices=("auto", "epoll", "poll", "select"),
            help="selector of the loop (default: the best)",
        )
        node.add_argument("--log-level", choices=("debug", "info", "warning", "error"), help="default info")
        node.add_argument("--record", metavar="FILE", help="write every input to a trace (.gz: compressed)")
        node.add_argument("--leap-file", metavar="FILE", help="leap-seconds.list to use (default: the system's)")


def _add_role_options(parser: argparse.ArgumentParser, role: str) -> None:
    parser.add_argument(
        "-i",
        "--interface",
        action="append",
        required=True,
        metavar="IF",
        dest="interfaces",
        help="repeatable",
    )
    parser.add_argument(
        "--simulated",
        nargs="?",
        const="tcxo",
        metavar="OSCILLATOR",
        help="use a simulated clock over the kernel's software time stamps (perfect, tcxo, ocxo, rubidium, cheap)",
    )
    if role == "tc":
        parser.add_argument("--stamping", choices=("auto", "hardware", "software"), help="default: the best there is")
        parser.add_argument(
            "-P", "--delay-mechanism", choices=("E2E", "P2P"), metavar="E2E|P2P", help="E2E (default) or peer-to-peer"
        )
        parser.add_argument("--transport", choices=("udp4", "udp6", "l2"), help="P2P: asks its neighbours in (udp4)")
        parser.add_argument("--domain", type=int, metavar="N", help="P2P: asks its neighbours in (0)")
        parser.add_argument("--pdelay-req", type=int, metavar="LOG2", dest="log_min_pdelay_req_interval", help="log2 s")
        return
    parser.add_argument("--transport", choices=("udp4", "udp6", "l2"), help="default udp4")
    parser.add_argument("--stamping", choices=("auto", "hardware", "software"), help="default: the best there is")
    parser.add_argument("--profile", metavar="NAME|FILE", help="PTP profile (default default-e2e)")
    parser.add_argument("--domain", type=int, metavar="N")
    parser.add_argument("--priority1", type=int, metavar="N")
    parser.add_argument("--priority2", type=int, metavar="N")
    parser.add_argument("--phc", metavar="/dev/ptpN", help="PTP hardware clock (default: the interface's own)")
    parser.add_argument("--announce", type=int, metavar="LOG2", dest="log_announce_interval", help="log2 s")
    parser.add_argument("--sync", type=int, metavar="LOG2", dest="log_sync_interval", help="log2 s")
    parser.add_argument(
        "-P",
        "--delay-mechanism",
        choices=("E2E", "P2P", "COMMON_P2P", "AUTO"),
        metavar="E2E|P2P|COMMON_P2P|AUTO",
        help="default: the profile's",
    )
    parser.add_argument("--one-step", choices=("no", "auto", "yes"), help="let the NIC complete Sync (default no)")
    parser.add_argument("--pdelay-req", type=int, metavar="LOG2", dest="log_min_pdelay_req_interval", help="log2 s")
    parser.add_argument("--delay-req", type=int, metavar="LOG2", dest="log_min_delay_req_interval", help="log2 s")
    parser.add_argument("--dscp-event", type=int, metavar="N")
    parser.add_argument("--dscp-general", type=int, metavar="N")
    parser.add_argument("--socket-priority", type=int, metavar="N")
    parser.add_argument("--pcp", type=int, metavar="N", help="802.1Q priority code point, 0 to 7")
    parser.add_argument("--ttl", type=int, metavar="HOPS", help="of multicast over UDP (default 1)")
    if role == "gm":
        parser.add_argument("--clock-class", type=int, metavar="N", help="default: by the reference")
        parser.add_argument(
            "--reference",
            choices=("system", "declared", "none"),
            dest="reference_type",
            help="where its time comes from (default system)",
        )
        parser.add_argument("--server-only", action="store_true", default=None, help="take no part in elections")
    if role == "oc":
        parser.add_argument("--client-only", action="store_true", default=None, help="never become master")
        parser.add_argument(
            "--arb-is", choices=("unknown", "utc"), help="what a master that announces no PTP time scale holds"
        )
    if role != "gm":
        parser.add_argument("--steer", action="store_true", default=None, help="let it steer the system clock")


def _overrides(options: argparse.Namespace) -> dict[str, Any]:
    names = (
        *("transport", "stamping", "profile", "domain", "priority1", "priority2", "phc", "clock_class"),
        *("log_announce_interval", "log_sync_interval", "log_min_delay_req_interval"),
        *("delay_mechanism", "one_step", "log_min_pdelay_req_interval"),
        *(
            "dscp_event",
            "dscp_general",
            "socket_priority",
            "pcp",
            "ttl",
            "reference_type",
            "server_only",
            "client_only",
            "arb_is",
        ),
    )
    values: dict[str, Any] = {name: getattr(options, name, None) for name in names}
    if getattr(options, "steer", None):
        values["clock_steer"] = True
    if options.simulated is not None:
        values["clock_type"] = "simulated"
        values["clock_oscillator"] = options.simulated
    return values


def _node_options(site: Site, options: argparse.Namespace) -> dict[str, Any]:
    """What the command line says of [node], over the file."""
    changes = {
        name: value
        for name in ("control", "io_loop", "log_level", "record", "leap_file")
        if (value := getattr(options, name)) is not None
    }
    if "control" not in changes and site.node.control == DEFAULT_SOCKET and "PTPSTACK_CONTROL" in os.environ:
        changes["control"] = os.environ["PTPSTACK_CONTROL"]
    if options.management is not None:
        wanted = None if options.management == "off" else options.management
        changes |= {"management": wanted, "management_read_only": wanted and f"{wanted}-ro"}
    return changes


def run(options: argparse.Namespace) -> int:
    try:
        if options.role == "run":
            site = load_site(options.site)
        else:
            site = site_for_roles(options.role, options.interfaces, **_overrides(options))
    except ConfigError as error:
        print(f"ptpstack: {error}", file=sys.stderr)
        return 2
    # what a node does not need to check a file, it loads only now
    from ptpstack.node.run import run_site

    # a site file may be older than its interfaces at boot; a name on the command line that is not there is a typo
    overrides = _node_options(site, options)
    site = replace(site, node=replace(site.node, **overrides))
    return run_site(site, patient=options.role == "run", overrides=overrides)
