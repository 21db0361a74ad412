"""``ptpstack simulate``: scenarios in simulated time, servos beside each other and published figures."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ptpstack.config.findings import ConfigError

if TYPE_CHECKING:
    from ptpstack.sim.figures import Outcome
    from ptpstack.sim.report import ScenarioReport
    from ptpstack.sim.scenario import Scenario

EXIT_MET, EXIT_MISSED, EXIT_UNUSABLE = 0, 1, 2
#: With more scenarios than this, one line each.
_FULL_TABLES = 3

_EPILOG = """\
exit status: 0 every `must` is met, 1 one is missed, 2 a scenario cannot be used

examples:
  ptpstack simulate --list                            what there is
  ptpstack simulate a1                                one scenario, ten seeds
  ptpstack simulate a1 --servo pi --seeds 3           with a servo of your choice
  ptpstack simulate anchors --jobs 2                  all scenarios with published figures of other programs
  ptpstack simulate anchors --servo pi                whether this simulator agrees with theirs: see the (x1.00)
  ptpstack simulate c1 --seeds 1 --plot error.svg     true error, estimate and bound of the first seed
  ptpstack simulate c1 c2 --servo all --json          every servo there is, for programs

(x1.03) beside a figure: 1.03 times the published one that this servo has to reproduce.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "simulate",
        help="run scenarios in simulated time and hold the servos against their limits",
        description="Run scenarios on simulated clocks and networks, where the truth is known. Nothing of this machine "
        "is touched.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scenario", nargs="*", metavar="NAME|FILE", help="a built-in scenario, a TOML file, or anchors")
    parser.add_argument("--list", action="store_true", help="list the built-in scenarios")
    parser.add_argument("--show", action="store_true", help="print the file of a built-in scenario, to begin your own")
    parser.add_argument("--seeds", type=_count, default=10, metavar="N", help="how many seeds (default 10)")
    parser.add_argument("--first-seed", type=int, default=1, metavar="N", help="the first of them (default 1)")
    parser.add_argument(
        "--servo", default="", metavar="TYPE[,TYPE]", help="servo types, or all (default: what a node uses by default)"
    )
    parser.add_argument("--jobs", type=_count, default=1, metavar="N", help="processes to use (default 1)")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    parser.add_argument("--plot", metavar="FILE", help="true error, estimate and bound of the first seed: .png or .svg")
    parser.set_defaults(func=run)


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 100_000:
        raise argparse.ArgumentTypeError(f"{text}: 1 to 100000")
    return value


def run(args: argparse.Namespace) -> int:
    from ptpstack.sim.batch import run_all
    from ptpstack.sim.report import make_report

    if args.list:
        return _list(args)
    try:
        scenarios = _scenarios(args.scenario)
        servos = _servos(args.servo)
        if args.show:
            return _show(args.scenario)
        if args.plot:
            _plottable(args.plot, scenarios)
    except ConfigError as error:
        for finding in error.findings:
            print(f"ptpstack simulate: {error.source + ': ' if error.source else ''}{finding}", file=sys.stderr)
        return EXIT_UNUSABLE
    except _Refused as error:
        print(f"ptpstack simulate: {error}", file=sys.stderr)
        return EXIT_UNUSABLE
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    found = run_all(scenarios, servos, seeds, jobs=args.jobs, progress=_Progress())
    reports = make_report(scenarios, found)
    unwritten = _plot(args.plot, scenarios[0], args.first_seed, servos) if args.plot else ""
    if args.json:
        from ptpstack.sim.report import as_dict

        json.dump([as_dict(report) for report in reports], sys.stdout, indent=2)
        print()
    else:
        _print(reports, args.seeds, args.first_seed)
    if unwritten:
        print(f"ptpstack simulate: {unwritten}", file=sys.stderr)
        return EXIT_UNUSABLE
    return EXIT_MET if all(column.must for report in reports for column in report.columns) else EXIT_MISSED


class _Refused(Exception):
    """What was asked for cannot be done: one sentence that says why and what to do."""


def _scenarios(names: list[str]) -> list[Scenario]:
    from ptpstack.sim.scenario_file import ANCHORS, load_scenario

    if not names:
        raise _Refused("no scenario given; `ptpstack simulate --list` shows what there is")
    every = [one for name in names for one in (ANCHORS if name == "anchors" else (name,))]
    loaded: dict[str, Scenario] = {}
    for name in every:
        scenario = load_scenario(name)
        while scenario.name in loaded and loaded[scenario.name] != scenario:
            scenario = replace(scenario, name=scenario.name + "'")
        loaded[scenario.name] = scenario
    return list(loaded.values())


def _servos(text: str) -> list[str | None]:
    from ptpstack.engine.wiring import SERVOS

    if not text:
        return [None]
    if text == "all":
        return list(SERVOS)
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in SERVOS:
            raise _Refused(f"there is no servo {name!r}; there are: {', '.join(SERVOS)}")
    return list(dict.fromkeys(names))


class _Progress:
    """A line on a terminal's stderr; a line every half minute elsewhere."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._began = self._said = time.monotonic()

    def __call__(self, done: int, total: int, outcome: Outcome) -> None:
        now = time.monotonic()
        left = (now - self._began) / done * (total - done)
        text = (
            f"{done}/{total} runs, about {left:.0f} s left ({outcome.scenario}, {outcome.servo}, seed {outcome.seed})"
        )
        if self._terminal:
            print(f"\r\x1b[K{text if done < total else ''}", end="", file=sys.stderr, flush=True)
        elif now - self._said > 30.0 and done < total:
            self._said = now
            print(text, file=sys.stderr, flush=True)


# ---- output ---------------------------------------------------------------------------------------------------------


def _print(reports: list[ScenarioReport], seeds: int, first: int) -> None:
    from ptpstack.sim.report import missed, rows, summary_rows

    print(f"{seeds} seed{'s' if seeds > 1 else ''} from {first}; true error of the judged clock against perfect time")
    if len(reports) > _FULL_TABLES:
        print()
        _align(summary_rows(reports))
    else:
        for report in reports:
            print(f"\n{report.scenario.name}: {report.scenario.title}")
            _align(rows(report))
    failures = missed(reports)
    print()
    for line in failures:
        print(f"MISSED {line}")
    if not failures and any(v.must is not None for r in reports for c in r.columns for v in c.verdicts):
        print("every must is met")


def _align(table: list[list[str]]) -> None:
    keep = [i for i in range(len(table[0])) if any(row[i] for row in table[1:])]
    widths = {i: max(len(row[i]) for row in table) for i in keep}
    for row in table:
        print("  ".join(row[i].ljust(widths[i]) for i in keep).rstrip())


def _list(args: argparse.Namespace) -> int:
    from ptpstack.sim.scenario_file import ANCHORS, builtin_scenarios, load_scenario

    names = [*ANCHORS, *(name for name in builtin_scenarios() if name not in ANCHORS)]
    scenarios = [load_scenario(name) for name in names]
    if args.json:
        print(json.dumps([{"name": s.name, "title": s.title, "length_s": s.length_s} for s in scenarios], indent=2))
        return EXIT_MET
    width = max(len(name) for name in names)
    for scenario in scenarios:
        print(f"{scenario.name:{width}}  {scenario.title}")
    return EXIT_MET


def _show(names: list[str]) -> int:
    from ptpstack.sim.scenario_file import scenario_text

    for name in names:
        print(scenario_text(name), end="")
    return EXIT_MET


# ---- plot -----------------------------------------------------------------------------------------------------------


def _plottable(path: str, scenarios: list[Scenario]) -> None:
    """_Refused for what can be known to fail before anything has run."""
    if len(scenarios) != 1:
        raise _Refused(f"--plot draws one scenario, not {len(scenarios)}: name one")
    if Path(path).suffix not in (".png", ".svg"):
        raise _Refused(f"--plot {path}: give a name that ends in .png or .svg")
    if not Path(path).absolute().parent.is_dir():
        raise _Refused(f"--plot {path}: there is no such directory")
    from ptpstack.analysis.errors import AnalysisError, as_missing

    try:
        import matplotlib  # noqa: F401

        import ptpstack.analysis.plots  # noqa: F401
    except ModuleNotFoundError as error:
        raise _Refused(str(as_missing(error, "a plot"))) from None
    except AnalysisError as error:
        raise _Refused(str(error)) from None


def _plot(path: str, scenario: Scenario, seed: int, servos: list[str | None]) -> str:
    """Draw the first seed with each servo, from the start of the statistics; what went wrong, or nothing."""
    from ptpstack.analysis.errors import AnalysisError
    from ptpstack.analysis.plots import plot_time_error
    from ptpstack.analysis.series import Mark, Series
    from ptpstack.sim.runner import run as run_one

    drawn = []
    marks: dict[Mark, None] = {}
    for servo in servos:
        outcome = run_one(scenario, seed, servo)
        s = outcome.series
        drawn.append(Series(f"{outcome.servo}: true error", s.t_s, s.error_ns))
        # an estimate is about the followed clock; beside the true error it is shown about perfect time
        values = [
            float("nan") if value is None else value + error - relative
            for value, error, relative in zip(s.estimate_ns, s.error_ns, s.relative_ns, strict=True)
        ]
        bounds = [float("nan") if bound is None else bound for bound in s.statistical_ns]
        drawn.append(Series(f"{outcome.servo}: estimate", s.t_s, values, bounds, kind="estimated offset"))
        marks |= dict.fromkeys(Mark(at, text) for at, text in outcome.events if at >= scenario.stats_from_s)
    try:
        chosen = [series.between(scenario.stats_from_s, scenario.length_s) for series in drawn]
        plot_time_error(chosen, path, sorted(marks), f"{scenario.name}: {scenario.title} (seed {seed})")
    except (AnalysisError, OSError) as error:
        return f"the plot could not be written: {error}"
    return ""
