"""``python -m tools.flood``: a grandmaster under attack, and what it and its client made of it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from tests.netns import unavailable
from tools.flood.frames import KINDS
from tools.flood.scenario import VARIANTS, FloodError, Outcome, run

EPILOG = f"""\
Half of the frames are random octets, half look valid and are hostile: {", ".join(KINDS)}.
All runs in network namespaces of its own: nothing else can be reached, and nothing is left behind.

examples:
  python -m tools.flood                                    200 000 frames/s for 10 s at a server-only grandmaster
  python -m tools.flood --variant electing                 under identities never used before
  python -m tools.flood --variant electing --everybody     to the group: client and listener get it as well
  python -m tools.flood --rate 0 --seconds 30              as fast as this machine can
  python -m tools.flood --kinds tlv-bomb --random-share 0  one kind only
  python -m tools.flood --transport l2 --json              Ethernet; everything that was seen, as JSON
"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.flood",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--variant", choices=VARIANTS, default=VARIANTS[0])
    parser.add_argument("--everybody", action="store_true", help="send to the group (electing only)")
    parser.add_argument("--rate", type=float, default=200_000, metavar="N", help="frames/s, 0: no limit")
    parser.add_argument("--seconds", type=float, default=10.0, metavar="S", help="at most (default 10)")
    parser.add_argument("--count", type=int, default=10_000_000, metavar="N", help="at most (default 10 000 000)")
    parser.add_argument("--transport", choices=("udp4", "l2"), default="udp4")
    parser.add_argument("--kinds", nargs="+", choices=tuple(KINDS), metavar="KIND", help="default: all")
    parser.add_argument("--random-share", type=float, default=0.5, metavar="X", help="of random octets (default 0.5)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    return parser


def tell(outcome: Outcome) -> str:
    sent = outcome.sent
    worst = max(abs(error) for error in outcome.client_errors_ns)
    lines = [
        f"{outcome.variant}: {sent.frames} frames in {sent.seconds:.1f} s ({sent.rate:.0f}/s)",
        f"  grandmaster      {', '.join(sorted(set(outcome.gm_states)))}; {outcome.cpu_share:.0%} of a core",
        f"  Sync             {outcome.syncs} of {outcome.syncs_expected}, {outcome.syncs_missing} missing, "
        f"{outcome.without_follow_up} without Follow_Up, longest gap {outcome.longest_gap_s * 1000:.1f} ms "
        f"({outcome.backlog_dropped} frames of anybody lost between namespaces)",
        f"  transmit stamps  {outcome.channel['tx_stamp_missing']} missing, {outcome.channel['tx_stamp_late']} late",
        f"  memory           {outcome.rss_before >> 10} KiB before, {outcome.rss_after >> 10} KiB after "
        f"({outcome.rss_growth / (1 << 20):+.1f} MiB)",
        f"  honest client    {', '.join(sorted(set(outcome.client_states)))}; true error at most {worst:.0f} ns "
        f"({outcome.client_error_before_ns:.0f} ns before)",
        "  what became of the frames",
    ]
    for where, counters in (("socket", outcome.channel), ("no domain", outcome.unrouted), ("port", outcome.counters)):
        lines += [f"    {where:10} {name} {count}" for name, count in sorted(counters.items()) if count]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    options = vars(build_parser().parse_args(argv))
    as_json = options.pop("json")
    reason = unavailable()
    if reason is not None:
        print(f"flood: {reason}", file=sys.stderr)
        return 1
    try:
        outcome = run(options.pop("variant"), **options)
    except (FloodError, ValueError) as error:
        print(f"flood: {error}", file=sys.stderr)
        return 1
    print(json.dumps(outcome.as_dict(), indent=1) if as_json else tell(outcome))
    return 0


if __name__ == "__main__":
    sys.exit(main())
