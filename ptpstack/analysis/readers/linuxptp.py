"""Logs of ptp4l, phc2sys and ts2phc: lines with a time stamp in brackets and ``offset N sN freq N``, in ns.

Each kind of offset in the file is a series of its own (``ptp4l master``, ``phc2sys CLOCK_REALTIME phc``). Stamps are
the host's monotonic clock; where they go back the program's host was restarted, and a new series begins. Port states,
masters and servo states become events. A line ``rms N max N`` sums up several samples: it is counted, and no deviation
can be made of it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from ptpstack.analysis.errors import AnalysisError
from ptpstack.analysis.readers.contents import Contents, ReadOptions, Samples
from ptpstack.analysis.series import Mark, Series, counted

_LINE = re.compile(r"\b(ptp4l|phc2sys|ts2phc)(?:\[\d+\])?:?\s*\[(\d+\.\d+)\]:?\s+(.*)")
_OFFSET = re.compile(r"(?P<what>.*?)\boffset\s+(?P<offset>-?\d+)\s+(?P<state>s\d)\s+freq\s+[+-]?\d+")
_SUMMARY = re.compile(r"(?P<what>.*?)\brms\s+(?P<rms>\d+)\s+max\s+(?P<max>\d+)\s+freq\b")
_PORT = re.compile(r"port (\d+)(?: \([^)]*\))?: (\w+) to (\w+) on (\w+)")
_NEWS = re.compile(r"(selected best master clock|assuming the grand master role|clockcheck|timed out|foreign master)")

#: what ptp4l calls its servo's states
_STATES = {"s0": "unlocked", "s1": "step", "s2": "locked", "s3": "locked, stable"}


def looks_like(line: str) -> bool:
    match = _LINE.search(line)
    return match is not None and bool(
        _OFFSET.match(match[3]) or _SUMMARY.match(match[3]) or _PORT.search(match[3]) or _NEWS.search(match[3])
    )


class _Log:
    def __init__(self) -> None:
        self.samples: dict[str, Samples] = {}
        self.events: list[tuple[str, Mark]] = []
        self.rms: list[float] = []
        self.largest = 0.0
        self.strangers = self.others = self.lines = 0
        #: per program: how often its stamps went back
        self.restarts: Counter[str] = Counter()
        self._last: dict[str, float] = {}
        self._states: dict[str, str] = {}

    def line(self, text: str) -> None:
        self.lines += 1
        match = _LINE.search(text)
        if match is None:
            self.strangers += bool(text.strip())
            return
        program, stamp, rest = match[1], float(match[2]), match[3]
        if stamp < self._last.get(program, -math.inf) - 1.0:
            self.restarts[program] += 1
        self._last[program] = stamp
        if (offset := _OFFSET.match(rest)) is not None:
            name = self._name(program, offset["what"])
            self.samples.setdefault(name, Samples()).add(stamp, float(offset["offset"]))
            self._state(program, name, stamp, offset["state"])
        elif (summary := _SUMMARY.match(rest)) is not None:
            self.rms.append(float(summary["rms"]))
            self.largest = max(self.largest, float(summary["max"]))
        elif (port := _PORT.search(rest)) is not None:
            self.events.append((program, Mark(stamp, f"port {port[1]} {port[2]} to {port[3]}")))
        elif _NEWS.search(rest):
            self.events.append((program, Mark(stamp, rest.strip())))
        else:
            self.others += 1

    def _name(self, program: str, what: str) -> str:
        run = f" (run {self.restarts[program] + 1})" if self.restarts[program] else ""
        return " ".join([program, *what.split()]) + run

    def _state(self, program: str, name: str, stamp: float, state: str) -> None:
        before = self._states.get(name)
        self._states[name] = state
        if before is not None and before != state:
            self.events.append((program, Mark(stamp, f"servo {_STATES.get(state, state)}")))


def read(source: str, lines: Iterator[str], options: ReadOptions) -> Contents:
    log = _Log()
    for text in lines:
        log.line(text)
    rms = math.sqrt(sum(r * r for r in log.rms) / len(log.rms)) if log.rms else 0.0
    summed = f"{counted(len(log.rms), 'summary line')} (rms {rms:.0f} ns together, largest max {log.largest:.0f} ns)"
    if not log.samples:
        if log.rms:
            raise AnalysisError(
                f"{source}: {summed} and no single offsets. A summary stands for several samples whose order is lost: "
                "no deviation, MTIE or percentile can be made of it. Let the program log each offset: ptp4l with "
                "summary_interval not above the Sync interval, phc2sys with -u 0"
            )
        raise AnalysisError(f"{source}: a log of linuxptp without a single offset ({log.lines} lines)")
    notes = []
    if log.rms:
        notes.append(f"{summed} left out: they are not samples")
    if log.restarts:
        notes.append("stamps went back (the host was restarted): each run is a series of its own")
    if log.others or log.strangers:
        notes.append(
            f"passed over: {counted(log.others, 'other line')} of linuxptp, "
            f"{counted(log.strangers, 'line')} of something else"
        )
    notes.append("offsets are what the program measured itself, path asymmetry and all: not the true error")
    series = []
    # one zero for all series of a run, so that they can be drawn together
    zero: dict[str, float] = {}
    for name, samples in log.samples.items():
        run = name.partition(" (run")[2]
        zero[run] = min(zero.get(run, math.inf), samples.t_s[0])
    for name, samples in log.samples.items():
        start, end = zero[name.partition(" (run")[2]], samples.t_s[-1]
        events = tuple(
            Mark(mark.t_s - start, mark.text)
            for program, mark in log.events
            if name.startswith(program) and start <= mark.t_s <= end
        )
        times = [t - start for t in samples.t_s]
        series.append(Series(name, times, samples.value_ns, None, events, "estimated offset"))
    return Contents(source, "linuxptp", tuple(series), tuple(notes))
