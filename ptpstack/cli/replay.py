"""``ptpstack replay``: a recorded trace through the same engine, every decision compared."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from ptpstack.engine.effects import Event
from ptpstack.engine.trace import ReplayResult, TraceError, replay

_EPILOG = """\
exit status: 0 identical, 1 a decision came out otherwise, 2 no trace or a damaged one

examples:
  ptpstack replay site.trace.gz
  ptpstack replay site.trace --explain                  every decision with its reason
  ptpstack replay site.trace --explain --from 12.5 --to 20
  ptpstack replay site.trace --inputs --from 12 --to 13    the inputs as well
  ptpstack replay site.trace --json
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "replay",
        help="replay a recorded trace and compare every decision",
        description="Feed a trace made with --record to a new engine and compare every decision with the recorded one. "
        "The whole trace is replayed; --from and --to choose what is shown.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("trace", metavar="TRACE")
    parser.add_argument("--from", dest="start", type=float, default=0.0, metavar="S", help="seconds from the start")
    parser.add_argument(
        "--to", dest="end", type=float, default=float("inf"), metavar="S", help="seconds from the start"
    )
    parser.add_argument("--explain", action="store_true", help="show decisions with their reasons")
    parser.add_argument("--inputs", action="store_true", help="show inputs and all effects")
    parser.add_argument("--json", action="store_true", help="the result as one JSON object")
    parser.set_defaults(func=run)


class _Viewer:
    """Prints what lies in the window; times count from the first input."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._first: int | None = None

    def __call__(self, now: int, kind: str, record: list[Any]) -> None:
        if self._first is None:
            self._first = now
        seconds = (now - self._first) / 1e9
        if not self._args.start <= seconds <= self._args.end:
            return
        name, fields = record
        if self._args.inputs:
            arrow = ">" if kind == "in" else "<"
            print(f"{seconds:12.6f} {arrow} {name} {json.dumps(fields, default=_hex)[:240]}")
        elif self._args.explain and kind == "out" and name != "Send":
            text = _sentence(name, fields)
            if text:
                print(f"{seconds:12.6f} {text}")


def _hex(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _sentence(name: str, fields: list[Any]) -> str:
    if name == "Event":
        from ptpstack.node.journal import sentence

        return sentence(Event(*fields))[1]
    if name == "SetFrequency":
        return f"clock {fields[0]}: frequency {fields[1]:+.3f} ppb ({fields[2]})"
    if name == "StepClock":
        return f"clock {fields[0]}: step {fields[1] / 65536:+.1f} ns ({fields[2]})"
    return ""


def run(args: argparse.Namespace) -> int:
    if args.json:
        args.explain = args.inputs = False
    try:
        result = replay(args.trace, _Viewer(args) if args.explain or args.inputs else None)
    except BrokenPipeError:
        raise
    except (TraceError, OSError) as error:
        text = error if isinstance(error, TraceError) else f"{args.trace}: {error.strerror}"
        print(f"ptpstack replay: {text}", file=sys.stderr)
        return 2
    if args.json:
        print(json.dumps(_as_dict(result)))
    else:
        print(_summary(result))
    return 0 if result.identical else 1


def _as_dict(result: ReplayResult) -> dict[str, Any]:
    divergence = result.divergence
    return {
        "identical": result.identical,
        "complete": result.complete,
        "inputs": result.inputs,
        "decisions": result.decisions,
        "seconds": (result.last_ns - result.first_ns) / 1e9,
        "inputs_by_kind": result.counts,
        "divergence": None
        if divergence is None
        else {
            "line": divergence.line,
            "at_s": (divergence.now_ns - result.first_ns) / 1e9,
            "input": divergence.input,
            "recorded": divergence.recorded,
            "replayed": divergence.replayed,
        },
    }


def _summary(result: ReplayResult) -> str:
    seconds = (result.last_ns - result.first_ns) / 1e9
    head = f"{result.inputs} inputs over {seconds:.1f} s, {result.decisions} decisions compared"
    if result.divergence is not None:
        at = (result.divergence.now_ns - result.first_ns) / 1e9
        return f"{head}\nNOT identical, {at:.6f} s after the start:\n  {result.divergence.sentence()}"
    tail = "" if result.complete else "; the trace has no clean end (the node was cut off)"
    return f"{head}: identical{tail}"
