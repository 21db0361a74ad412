"""``ptpstack analyze``: how good the time was, from a log, a trace or a table.

Exit status: 0 done, 1 a mask is broken, 2 a file cannot be used, 3 a package is missing.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ptpstack.analysis.readers import Contents
    from ptpstack.analysis.report import Analysis

_EPILOG = """\
files (found out by themselves; --format says otherwise):
  csv        columns with or without a header: time, offset or error, perhaps a bound
  linuxptp   log of ptp4l, phc2sys, ts2phc (single offsets; summaries hold none)
  chrony     tracking.log, statistics.log
  trace      what `ptpstack run --record FILE` wrote: what each servo believed
  -          standard input

exit status: 0 done, 1 a mask is broken, 2 a file cannot be used, 3 a package is missing

examples:
  ptpstack analyze ptp4l.log --plot report.png
  ptpstack analyze site.trace.gz --from 60               without the first minute
  ptpstack analyze te.csv --mask g8272-prtc-a --mask g8273.2-class-c
  ptpstack analyze ours.csv theirs.csv --plot both.svg   side by side
  ptpstack analyze pps.txt --interval 1 --value-unit s   one column of phase, 1 s apart
  ptpstack analyze te.csv --time-column epoch --value-column te_us --bound-column limit_us
  journalctl -u ptp4l | ptpstack analyze - --json
  ptpstack analyze --masks                               the limits that are there, and their sources
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "analyze",
        help="time error statistics, deviations, masks and plots of a log, a trace or a table",
        description="Statistics of time error (percentiles, cTE/dTE), deviations (ADEV, MDEV, HDEV, TDEV, MTIE), "
        "ITU-T masks and plots, from a log, a recorded trace or a table. What is dropped, filled or guessed is said.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="log, trace or table; - for standard input")
    parser.add_argument("--json", action="store_true", help="everything as one JSON object")
    parser.add_argument("--plot", metavar="OUT", help="one page of plots: OUT.png, OUT.svg or OUT.pdf")
    parser.add_argument("--title", default="", help="title of the plot")
    parser.add_argument(
        "--mask", action="append", default=[], metavar="ID", help="judge by this mask (may be given several times)"
    )
    parser.add_argument("--masks", action="store_true", help="list the masks")
    parser.add_argument("--from", dest="start", type=float, metavar="S", help="seconds from the first sample")
    parser.add_argument("--to", dest="end", type=float, metavar="S", help="seconds from the first sample")
    parser.add_argument(
        "--max-gap",
        type=_whole,
        metavar="N",
        help="missing samples in a row that are filled (default 5); a longer gap divides the record",
    )
    reading = parser.add_argument_group("how to read")
    reading.add_argument("--format", choices=("csv", "linuxptp", "chrony", "trace"), help="do not guess")
    reading.add_argument("--interval", type=_positive, metavar="S", help="sampling interval, instead of the data's own")
    reading.add_argument("--time-column", metavar="NAME", help="name, or number from 1")
    reading.add_argument(
        "--value-column", action="append", default=[], metavar="NAME", help="may be given several times"
    )
    reading.add_argument("--bound-column", metavar="NAME")
    reading.add_argument("--time-unit", metavar="UNIT", help="s, ms, us, ns, min, h, d, mjd")
    reading.add_argument("--value-unit", metavar="UNIT", help="s, ms, us, ns, ps")
    parser.set_defaults(func=run)


def _positive(text: str) -> float:
    value = float(text)
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: an interval is more than 0 s")
    return value


def _whole(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text}: a number of samples is not below 0")
    return value


def run(args: argparse.Namespace) -> int:
    """Carry it out; returns the exit status."""
    from ptpstack.analysis.errors import AnalysisError, MissingPackageError, as_missing

    try:
        return _run(args)
    except ModuleNotFoundError as error:
        print(f"ptpstack analyze: {as_missing(error, 'analysis')}", file=sys.stderr)
        return 3
    except AnalysisError as error:
        print(f"ptpstack analyze: {error}", file=sys.stderr)
        return 3 if isinstance(error, MissingPackageError) else 2


def _run(args: argparse.Namespace) -> int:
    from rich.console import Console

    from ptpstack.analysis.errors import AnalysisError
    from ptpstack.analysis.masks import mask, masks
    from ptpstack.analysis.readers import ReadOptions, read
    from ptpstack.analysis.render import mask_dict, print_contents, print_masks
    from ptpstack.analysis.report import SCHEMA

    console = Console()
    if args.masks:
        if args.json:
            print(json.dumps([mask_dict(one) for one in masks().values()], indent=2))
        else:
            print_masks(masks().values(), console)
        return 0
    if not args.files:
        raise AnalysisError("which file? `ptpstack analyze --help` says what it reads")
    chosen = [mask(name) for name in dict.fromkeys(args.mask)]
    if args.plot is not None:
        from ptpstack.analysis.plots import check_path

        # find out now, not after the work
        check_path(args.plot)
    options = ReadOptions(
        args.format,
        args.time_column,
        tuple(args.value_column),
        args.bound_column,
        args.time_unit,
        args.value_unit,
        args.interval,
    )
    done = []
    for source in args.files:
        contents = _named(read(source, options), len(args.files))
        done.append((contents, _analyses(args, contents, chosen)))
    if args.plot is not None:
        _plot(args, done, chosen)
    if args.json:
        files = [_as_dict(contents, analyses) for contents, analyses in done]
        print(json.dumps({"schema": SCHEMA, "files": files}, indent=2, allow_nan=False))
    else:
        for index, (contents, analyses) in enumerate(done):
            if index:
                console.print()
            print_contents(contents, analyses, console)
    verdicts = [v.passed for _, analyses in done for a in analyses for v in a.verdicts]
    return 1 if False in verdicts else 0


def _named(contents: Contents, files: int) -> Contents:
    """Beside other files, a series that is not called after its own is."""
    file = Path(contents.source).name
    if files == 1:
        return contents
    series = tuple(s if file in s.name else replace(s, name=f"{file}: {s.name}") for s in contents.series)
    return replace(contents, series=series)


def _analyses(args: argparse.Namespace, contents: Contents, chosen: list[Any]) -> list[Analysis]:
    from ptpstack.analysis.errors import AnalysisError
    from ptpstack.analysis.report import analyse
    from ptpstack.analysis.series import BRIDGE

    start = -float("inf") if args.start is None else args.start
    end = float("inf") if args.end is None else args.end
    found = []
    for whole in contents.series:
        series = whole.between(start, end) if args.start is not None or args.end is not None else whole
        if len(series):
            bridge = BRIDGE if args.max_gap is None else args.max_gap
            found.append(analyse(series, masks=chosen, interval_s=args.interval, bridge=bridge))
    if not found:
        raise AnalysisError(
            f"{contents.source}: no sample from {start:g} to {end:g} s; the record ends at "
            f"{max(float(one.t_s[-1]) for one in contents.series):g} s"
        )
    return found


def _plot(args: argparse.Namespace, done: list[tuple[Contents, list[Analysis]]], chosen: list[Any]) -> None:
    from ptpstack.analysis.plots import plot_report

    every = [analysis for _, analyses in done for analysis in analyses]
    names = ", ".join(dict.fromkeys(contents.source for contents, _ in done))
    plot_report(every, args.plot, chosen, args.title or names)


def _as_dict(contents: Contents, analyses: list[Analysis]) -> dict[str, Any]:
    return {
        "source": contents.source,
        "format": contents.format,
        "notes": list(contents.notes),
        "series": [analysis.as_dict() for analysis in analyses],
    }
