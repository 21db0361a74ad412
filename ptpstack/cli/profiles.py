"""``ptpstack profiles``: what profiles there are and what they say."""

from __future__ import annotations

import argparse
import json
import sys

from ptpstack.cli.check import EXIT_ERRORS, EXIT_FINE, EXIT_UNREADABLE, render
from ptpstack.config.data import read_file, shipped
from ptpstack.config.findings import ConfigError, UnreadableError
from ptpstack.config.profiles import SUFFIX, Profile, is_path, list_profiles, load_profile

_EPILOG = """\
examples:
  ptpstack profiles                                  all profiles that ship with ptpstack
  ptpstack profiles hospital-theatre                 its defaults, ranges and clock classes
  ptpstack profiles --print default-e2e > mine.toml  the file itself: start of a profile of your own
  ptpstack profiles ./mine.toml                      check a profile of your own
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "profiles",
        help="list profiles, or show one",
        description="List the profiles that ship with ptpstack, or show one by name or path.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="name of a profile, or path of a profile file")
    parser.add_argument("--json", action="store_true", help="JSON")
    parser.add_argument(
        "--print", action="store_true", help="write the profile's file, with the reasons for its numbers"
    )
    parser.set_defaults(func=run)


def _text(profile: Profile) -> str:
    lines = [f"{profile.name}: {profile.title}", f"identifier {profile.identifier}, source {profile.source}", ""]
    lines.append(f"{'parameter':<28}{'default':>8}  range")
    lines += [f"{name:<28}{p.default:>8}  {p.range}" for name, p in profile.parameters.items()]
    lines.append("")
    lines.append(f"transport  {profile.default_transport} (allowed: {', '.join(profile.transports)})")
    quality = profile.quality
    lines.append(
        f"clockClass locked {quality.locked}, holdover {quality.holdover}, "
        f"out of specification {quality.holdover_out_of_spec}, free-running {quality.free_running}"
    )
    if quality.boundary_holdover or quality.boundary_out_of_spec:
        lines.append(
            f"clockClass of a boundary clock in holdover {quality.boundary_holdover or 'its own'}, "
            f"out of specification {quality.boundary_out_of_spec or 'its own'}"
        )
    lines.append("behaviours " + ", ".join(f"{name} = {variant}" for name, variant in profile.behaviours.items()))
    lines.append(f"client-only instances have priority1 = priority2 = {profile.client_priority}")
    return "\n".join(lines)


def _file(name: str) -> str:
    """The text of a profile's file; only for a name that ``load_profile`` has accepted."""
    octets = read_file(name) if is_path(name) else shipped("profiles", SUFFIX)[name + SUFFIX].read_bytes()
    return octets.decode("utf-8-sig")


def run(args: argparse.Namespace) -> int:
    """Exit status: 0 fine, 1 the profile has errors or does not exist, 2 its file cannot be read."""
    try:
        if args.name is None:
            profiles = [load_profile(name) for name in list_profiles()]
            if args.json:
                print(json.dumps([p.as_dict() for p in profiles], indent=2))
            for profile in () if args.json else profiles:
                print(f"{profile.name:<20}{profile.title}")
            return EXIT_FINE
        profile = load_profile(args.name)
        if args.print:
            print(_file(args.name), end="")
        else:
            print(json.dumps(profile.as_dict(), indent=2) if args.json else _text(profile))
    except ConfigError as error:
        for finding in error.findings:
            print(render(finding, args.name or "profiles"), file=sys.stderr)
        return EXIT_UNREADABLE if isinstance(error, UnreadableError) else EXIT_ERRORS
    return EXIT_FINE
