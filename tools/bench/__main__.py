"""``python -m tools.bench``: ptpstack beside ptp4l, in one run."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from tests.netns import unavailable
from tools.bench import measures, report
from tools.bench.subjects import BenchError, available, ptp4l_version

WHAT = ("imports", "memory", "start", "answering", "lateness")
EPILOG = """\
Everything runs in network namespaces of its own that end with this process. Nothing steers a clock. Rounds are
interleaved; figures are medians. ptp4l is started with masterOnly, free_running and software time stamps.

examples:
  python -m tools.bench                                    everything, 5 rounds (about five minutes)
  python -m tools.bench --only answering --rounds 9        CPU time for each Delay_Req answered
  python -m tools.bench --only answering --rates 0 20000   under flood and at 20 000/s only
  python -m tools.bench --json > bench.json                all rounds, for comparison over time
  python -m tools.bench --quick --subjects ptpstack        does it still run? (seconds; figures mean little)
"""


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.bench",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", choices=WHAT, default=list(WHAT), metavar="WHAT", help=", ".join(WHAT))
    parser.add_argument("--subjects", nargs="+", choices=("ptpstack", "ptp4l"), default=["ptpstack", "ptp4l"])
    parser.add_argument("--rounds", type=int, metavar="N", help="default 5; --quick: 1")
    parser.add_argument("--seconds", type=float, metavar="S", help="length of a round (default 2; --quick: 0.3)")
    parser.add_argument(
        "--rates", type=int, nargs="+", metavar="N", help="Delay_Req/s, 0 is a flood (0 1000 5000 20000)"
    )
    parser.add_argument("--memory-after", type=float, metavar="S", help="default 30; --quick: 1")
    parser.add_argument("--quick", action="store_true", help="one short round of each, to see that it works")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    options = build_parser().parse_args(argv)
    quick = options.quick
    rounds = options.rounds or (1 if quick else 5)
    seconds = options.seconds or (0.3 if quick else 2.0)
    rates = options.rates or ([0, 1000] if quick else [0, 1000, 5000, 20000])
    after = options.memory_after or (1.0 if quick else 30.0)

    def say(text: str) -> None:
        if not options.quiet:
            print(text, file=sys.stderr, flush=True)

    reason = unavailable()
    if reason is not None:
        print(f"bench: {reason}", file=sys.stderr)
        return 1
    load_before = measures.others_load()
    rows: list[measures.Row] = []
    try:
        subjects = available(options.subjects)
        if "imports" in options.only:
            rows += measures.imports(rounds, say)
        if "memory" in options.only:
            rows += measures.memory(subjects, after, say)
        if "start" in options.only:
            rows += measures.first_announce(subjects, rounds, say)
        if "answering" in options.only:
            rows += measures.answering(subjects, rounds, seconds, rates, say)
        if "lateness" in options.only:
            for real_time in (False, True) if measures.may_real_time() else (False,):
                rows += measures.lateness(subjects, rounds, max(seconds, 1.0), -7, real_time, say)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    about = {
        "ptp4l": ptp4l_version(),
        "rounds": rounds,
        "seconds": seconds,
        "load_before": load_before,
        "load_after": measures.others_load(),
    }
    if options.json:
        print(json.dumps(report.as_dict(rows, about), indent=1))
    else:
        print(report.table(rows))
        print(f"\n{rounds} rounds of {seconds:g} s, interleaved; load average {load_before:.1f} before, "
              f"{about['load_after']:.1f} after; ratio = ptpstack / ptp4l {about['ptp4l']}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
