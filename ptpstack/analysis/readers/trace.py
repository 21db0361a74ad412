"""A recorded trace: what each servo believed, over time.

A trace holds inputs and decisions, not estimates. These come back when the inputs pass through an engine of the same
plan once more: after each measurement of an edge (an instance, or a reference) its servo is asked for its estimate with
bound. Decisions are compared on the way, because only an engine that decides as the recorded one did believes what that
one believed; the first that differs is told.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ptpstack.analysis.errors import AnalysisError
from ptpstack.analysis.readers.contents import Contents, Samples
from ptpstack.analysis.series import Mark, Series
from ptpstack.engine.engine import Engine
from ptpstack.engine.plan import plan_from_dict
from ptpstack.engine.trace import FORMAT, TraceError, effect_record, read_trace
from ptpstack.engine.trace_mac import ReplayedMac

#: kinds of events that are marked, and the words for them
_MARKS: dict[str, Callable[[dict[str, Any]], str]] = {
    "port-state": lambda d: f"{d['old']} to {d['new']}",
    "as-capable": lambda d: "asCapable" if d["as_capable"] else "not asCapable",
    "parent": lambda d: f"parent {d['new']}",
    "servo": lambda d: f"servo {d['new']}",
    "reference": lambda d: f"reference {d['state']}",
    "clock-step": lambda d: f"step {d['step_ns']:+.0f} ns",
    "steering": lambda d: "another steers",
    "silent": lambda d: "source silent",
    "link": lambda d: f"link {'up' if d['up'] else 'down'}",
    "clock-failed": lambda d: "clock refused",
}


def _words(kind: str, data: dict[str, Any]) -> str:
    try:
        return _MARKS[kind](data)
    except (KeyError, TypeError, ValueError):
        # what an event carries may change; that it happened is worth a mark still
        return kind


class _Replay:
    def __init__(self, source: str) -> None:
        self.source = source
        self.engine: Engine | None = None
        self._mac = ReplayedMac()
        self.start_ns: int | None = None
        self.samples: dict[str, Samples] = {}
        #: per edge: of its instance; "" for those that concern every edge
        self.events: list[tuple[str, Mark]] = []
        self.differs = ""
        self.without = 0
        self.complete = False
        self._counted: dict[str, int] = {}
        self._expected: list[list[Any]] = []
        self._raised = False

    def record(self, line: int, record: list[Any]) -> None:
        kind = record[0]
        if kind == "ptpstack-trace":
            if record[1] != FORMAT:
                raise AnalysisError(f"{self.source}: trace format {record[1]}, this program reads {FORMAT}")
            try:
                self.engine = Engine(plan_from_dict(record[2]))
            except Exception as error:
                raise AnalysisError(f"{self.source}: its configuration cannot be used: {error!r}") from error
            self.engine.use_mac(self._mac)
        elif kind == "mac":
            self._mac.expect(record[2])
        elif kind == "in":
            self._finish(line)
            self._input(line, record)
        elif kind == "raised":
            if not self._raised:
                self._differ(line)
        elif kind == "out":
            if not self._expected or self._expected.pop(0) != [record[2], record[3]]:
                self._differ(line)
        elif kind == "end":
            self.complete = True

    def _differ(self, line: int) -> None:
        self._expected.clear()
        self.differs = self.differs or (
            f"from line {line} on this version decides otherwise than the one that was recorded: the offsets are what "
            "this version would have believed (`ptpstack replay` shows the difference)"
        )

    def _finish(self, line: int) -> None:
        if self._expected:
            self._differ(line)

    def _input(self, line: int, record: list[Any]) -> None:
        engine, now, method = self.engine, record[1], record[2]
        assert engine is not None
        self.start_ns = now if self.start_ns is None else self.start_ns
        arguments = [bytes.fromhex(a["hex"]) if isinstance(a, dict) and a.keys() == {"hex"} else a for a in record[3]]
        self._raised = False
        try:
            effects = getattr(engine, method)(*arguments)
        except Exception:
            # a recorded refusal is no trouble; one that was not recorded shows as a difference
            self._raised = True
            return
        self._expected = [effect_record(effect) for effect in effects]
        t_s = (now - self.start_ns) / 1e9
        for name, fields in self._expected:
            if name == "Event" and fields[0] in _MARKS:
                port = f" port {fields[2]}" if fields[2] else ""
                self.events.append((fields[1], Mark(t_s, f"{_words(fields[0], fields[3])}{port}")))
        for edge in engine.steering.edges():
            if edge.measurements != self._counted.get(edge.name, 0):
                self._counted[edge.name] = edge.measurements
                estimate = edge.servo.estimate(now)
                if estimate is None:
                    self.without += 1
                else:
                    self.samples.setdefault(edge.name, Samples()).add(t_s, estimate.value_ns, estimate.bound_ns)


def read(source: str) -> Contents:
    replay = _Replay(source)
    line = 0
    try:
        for line, record in read_trace(source):
            replay.record(line, record)
    except TraceError as error:
        raise AnalysisError(str(error)) from error
    except OSError as error:
        raise AnalysisError(f"{source}: {error.strerror or error}") from error
    if not replay.samples:
        raise AnalysisError(
            f"{source}: in this trace no servo had an offset ({replay.without} measurements before the first one). "
            "A grandmaster without a measured reference has none: analyse a client's trace"
        )
    notes = ["offsets are the servo's own estimates, with its bound: not the true error"]
    if replay.without:
        notes.append(f"{replay.without} measurements before a servo could tell an offset")
    if replay.differs:
        notes.append(replay.differs)
    if not replay.complete:
        notes.append("the trace has no clean end (the node was cut off)")
    assert replay.engine is not None
    series = []
    for edge in replay.engine.steering.edges():
        samples = replay.samples.get(edge.name)
        if samples is not None:
            events = tuple(mark for owner, mark in replay.events if owner in ("", edge.instance))
            bound = samples.bound_ns if any(math.isfinite(b) for b in samples.bound_ns) else None
            series.append(Series(edge.name, samples.t_s, samples.value_ns, bound, events, "estimated offset"))
    return Contents(source, "trace", tuple(series), tuple(notes))
