"""Traces: every input of an engine and everything it decided, and the replay that compares.

A trace is lines of JSON (gzip when the name ends in ``.gz``), each ``[kind, now_ns, ...]``:

* ``["ptpstack-trace", 1, {...}]``      first line: format version, and the plan the engine was made of
* ``["in", now, method, [arguments]]``   an input, octets as hexadecimal
* ``["mac", now, kind, result]``        what it computed with a key for that input (trace_mac.py); never a key
* ``["out", now, name, [fields]]``       an effect it caused; these are what a replay compares
* ``["raised", now, type, text]``        the input before it raised this (an operator's unknown name, say)
* ``["end", now, {counts}]``             a clean end; a trace without it was cut off

One line is one write: a trace of a process that died is good up to its last line. A compressed one is flushed once a
second, so that it may lack what came after.

Recording never stands in the way of what is recorded: when the file takes no more (a full disk), it ends there, one
event ``record-failed`` says why, and the engine goes on.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from ptpstack.engine.effects import EngineEffect, Event
from ptpstack.engine.engine import Engine
from ptpstack.engine.plan import EnginePlan, plan_as_dict, plan_from_dict
from ptpstack.engine.short_cuts import PlainAnswer
from ptpstack.engine.trace_file import open_for_reading
from ptpstack.engine.trace_file import open_for_writing as open_for_writing
from ptpstack.engine.trace_mac import RecordingMac, ReplayedMac, with_answers_first, wrong_answer
from ptpstack.protocol.security import Mac

FORMAT = 1
#: recorded time between two flushes, ns: what a compressed trace may lack when its process is killed
FLUSH_NS = 1_000_000_000
#: the inputs an engine has
METHODS = (
    "start",
    "receive",
    "transmitted",
    "link",
    "timer",
    "commanded",
    "command_failed",
    "reading_failed",
    "reading",
    "clock_time",
    "declare_reference",
    "set_priorities",
    "pulse",
    "time_of_day",
    "resume",
    "renewed",
    "temperature",
    "management",
    "channel_facts",
    "secure",
    "configure",
    "add_instance",
    "remove_instance",
    "restore",
)
#: the position of ``now`` among each method's arguments
_NOW = {"start": 0, "receive": 4, "transmitted": 2, "link": 2, "timer": 0, "commanded": 4, "reading": 4}
_NOW |= {"pulse": 3, "time_of_day": 4, "resume": 1, "renewed": 2, "temperature": 2}
_NOW |= {"management": 3, "channel_facts": 5, "restore": 2}
_NOW |= {"secure": 1, "configure": 2, "add_instance": 2, "remove_instance": 1}
_NOW |= {"command_failed": 2, "reading_failed": 2, "clock_time": 2, "declare_reference": 3, "set_priorities": 1}


class TraceError(ValueError):
    """A file that is no trace, or a damaged one. Says which line and what is wrong."""


def _encode(value: Any) -> Any:
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def _decode(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"hex"}:
        return bytes.fromhex(value["hex"])
    return value


def effect_record(effect: EngineEffect) -> list[Any]:
    """An effect as the JSON a trace holds."""
    # through JSON once, so that what replay compares has the same types as what was read back
    fields = [_encode(value) for value in effect]
    result: list[Any] = json.loads(json.dumps([type(effect).__name__, fields]))
    return result


class RecordedEngine(Engine):
    """An engine whose inputs and decisions are written down as they pass.

    OSError when not even the first line can be written. Later on ``trace_problem`` says why recording has ended (""
    while it goes on), and the input during which it ended has an Event ``record-failed`` among its effects.
    """

    def __init__(self, plan: EnginePlan, stream: IO[str]) -> None:
        super().__init__(plan)
        self._stream = stream
        self._inputs = self._outputs = 0
        self._flushed_ns: int | None = None
        self._now = 0
        self.trace_problem = ""
        stream.write(_line(["ptpstack-trace", FORMAT, plan_as_dict(plan)]))
        stream.flush()
        for method in METHODS:
            setattr(self, method, self._recording(method, getattr(self, method)))

    def use_mac(self, mac: Mac) -> None:
        super().use_mac(RecordingMac(mac, self._note_mac))

    def _note_mac(self, kind: str, result: str | bool) -> None:
        self._write([["mac", self._now, kind, result]], self._now)

    def plain_answers(self, channel: str) -> dict[bytes, PlainAnswer]:
        """None: every frame has to pass where it is written down."""
        return {}

    def _write(self, records: list[list[Any]], now: int) -> None:
        if self.trace_problem:
            return
        try:
            for record in records:
                self._stream.write(_line(record))
            if self._flushed_ns is None or now - self._flushed_ns >= FLUSH_NS:
                self._flushed_ns = now
                self._stream.flush()
        except OSError as error:
            self.trace_problem = f"recording ended: {error.strerror or error}; the trace is good up to there"
            _close(self._stream)

    def _recording(self, method: str, call: Callable[..., list[EngineEffect]]) -> Callable[..., list[EngineEffect]]:
        position = _NOW[method]

        def recorded(*arguments: Any) -> list[EngineEffect]:
            now = self._now = arguments[position]
            ended = self.trace_problem
            self._inputs += 1
            # written before the call: an input that ends the process is what one wants to see most
            self._write([["in", now, method, [_encode(a) for a in arguments]]], now)
            try:
                effects = call(*arguments)
            except Exception as error:
                self._write([["raised", now, type(error).__name__, str(error)]], now)
                raise
            self._outputs += len(effects)
            records = [["out", now, type(effect).__name__, [_encode(v) for v in effect]] for effect in effects]
            self._write(records, now)
            if self.trace_problem != ended:
                effects = [*effects, Event("record-failed", "", 0, {"reason": self.trace_problem})]
            return effects

        return recorded

    def close_trace(self, now: int) -> None:
        """The clean end of the trace. Raises nothing: afterwards ``trace_problem`` says whether it was written."""
        self._write([["end", now, {"in": self._inputs, "out": self._outputs}]], now)
        problem = _close(self._stream)
        self.trace_problem = self.trace_problem or problem


def _line(record: list[Any]) -> str:
    return json.dumps(record, separators=(",", ":")) + "\n"


def _close(stream: IO[str]) -> str:
    """Why what was still in the buffers could not be written, or ""."""
    try:
        stream.close()
    except OSError as error:
        return f"the end of the trace is missing: {error.strerror or error}"
    return ""


@dataclass(slots=True)
class Divergence:
    """The first decision that came out otherwise than recorded."""

    line: int
    now_ns: int
    input: str
    recorded: list[Any] | None
    replayed: list[Any] | None

    def sentence(self) -> str:
        return (
            f"line {self.line}, at {self.now_ns / 1e9:.6f} s, after {self.input}: "
            f"recorded {_short(self.recorded)}, replayed {_short(self.replayed)}"
        )


def _short(record: list[Any] | None) -> str:
    if record is None:
        return "nothing"
    text = json.dumps(record)
    return text if len(text) < 300 else text[:297] + "..."


@dataclass(slots=True)
class ReplayResult:
    inputs: int = 0
    decisions: int = 0
    complete: bool = False
    first_ns: int = 0
    last_ns: int = 0
    divergence: Divergence | None = None
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def identical(self) -> bool:
        return self.divergence is None


def read_trace(path: str) -> Iterator[tuple[int, list[Any]]]:
    """(line number, record), and before an input what ``ReplayedMac`` is to expect.

    TraceError for what is no trace; a last line cut short ends the trace quietly.
    """
    return with_answers_first(_read_lines(path))


def _read_lines(path: str) -> Iterator[tuple[int, list[Any]]]:
    number = 0
    damaged: ValueError | RecursionError | None = None
    try:
        with open_for_reading(path) as stream:
            for line in stream:
                if damaged is not None:
                    raise TraceError(f"{path}: line {number} is damaged: {damaged}") from damaged
                number += 1
                try:
                    record = json.loads(line)
                except (ValueError, RecursionError) as error:
                    # not yet an error: the last line of a process that died may have been cut
                    damaged = error
                    continue
                wrong = _wrong_shape(record, number)
                if wrong is not None:
                    raise TraceError(f"{path}: {wrong}")
                yield number, record
    except EOFError:
        # compressed, and cut: what could be unpacked counts
        pass
    except (UnicodeDecodeError, gzip.BadGzipFile, zlib.error) as error:
        raise TraceError(f"{path}: not a readable trace after line {number}: {error}") from error
    if number == 0:
        raise TraceError(f"{path}: empty file, not a trace")
    if damaged is not None and number == 1:
        raise TraceError(f"{path}: not a ptpstack trace: {damaged}")


def _wrong_shape(record: Any, number: int) -> str | None:
    """Why a line is not what a trace holds at that place, or None."""
    if number == 1:
        if not isinstance(record, list) or len(record) != 3 or record[0] != "ptpstack-trace":
            return f"not a ptpstack trace (its first line says {str(record)[:40]!r})"
        return None
    if not isinstance(record, list) or len(record) < 3 or type(record[1]) is not int:
        return f"line {number} is not a trace record"
    kind = record[0]
    if kind in ("in", "out"):
        if len(record) != 4 or not isinstance(record[2], str) or not isinstance(record[3], list):
            return f"line {number} is not a trace record: {kind!r} is followed by time, name and a list"
        if kind == "in" and record[2] not in METHODS:
            return f"line {number}: unknown input {record[2]!r}"
    elif kind == "raised":
        if len(record) != 4 or not isinstance(record[2], str) or not isinstance(record[3], str):
            return f"line {number} is not a trace record: 'raised' is followed by time, type and text"
    elif kind == "mac":
        if wrong_answer(record):
            return f"line {number} is not a trace record: 'mac' is followed by time, what was asked and the answer"
    elif kind != "end":
        return f"line {number}: unknown kind of record {str(kind)[:40]!r}"
    return None


Observer = Callable[[int, str, list[Any]], None]


def replay(path: str, observe: Observer | None = None) -> ReplayResult:
    """Feed a recorded trace to a new engine and compare every decision; stops at the first that differs.

    ``observe(now_ns, kind, record)`` sees each input (``kind`` "in") and each replayed effect ("out").
    """
    result = ReplayResult()
    engine: Engine | None = None
    mac = ReplayedMac()
    expected: list[list[Any]] = []
    #: what the last input raised, until the trace has said that it did
    raised: Exception | None = None
    last_input = "the start"
    now = 0

    def differs(line: int, recorded: list[Any] | None, replayed: list[Any] | None) -> ReplayResult:
        result.divergence = Divergence(line, now, last_input, recorded, replayed)
        return result

    def impossible(line: int, error: Exception) -> TraceError:
        # whatever an engine may raise for arguments of another kind: a real one never had them
        return TraceError(f"{path}: line {line}: an input no engine can have had ({type(error).__name__}: {error})")

    line = 0
    for line, record in read_trace(path):
        kind = record[0]
        if raised is not None and kind not in ("raised", "mac"):
            raise impossible(line - 1, raised) from raised
        if kind == "ptpstack-trace":
            if record[1] != FORMAT:
                raise TraceError(f"{path}: trace format {record[1]}, this program reads {FORMAT}")
            engine = _engine(path, record[2])
            engine.use_mac(mac)
        elif kind == "mac":
            mac.expect(record[2])
        elif kind == "in":
            if expected:
                return differs(line, None, expected[0])
            now, method = record[1], record[2]
            try:
                arguments = [_decode(a) for a in record[3]]
                last_input = _describe(method, arguments)
                if observe is not None:
                    observe(now, "in", [method, arguments])
                expected = [effect_record(e) for e in getattr(engine, method)(*arguments)]
            except BrokenPipeError:
                raise  # the observer's reader has gone: nothing is wrong with the trace
            except Exception as error:
                raised = error
            result.inputs += 1
            result.first_ns = result.first_ns or now
            result.last_ns = now
            result.counts[method] = result.counts.get(method, 0) + 1
        elif kind == "raised":
            recorded = record[2:]
            if raised is None:
                return differs(line, recorded, expected[0] if expected else None)
            replayed = [type(raised).__name__, str(raised)]
            if replayed != recorded:
                return differs(line, recorded, replayed)
            raised = None
            result.decisions += 1
        elif kind == "out":
            recorded = [record[2], record[3]]
            if not expected:
                return differs(line, recorded, None)
            replayed = expected.pop(0)
            if observe is not None:
                observe(now, "out", replayed)
            if replayed != recorded:
                return differs(line, recorded, replayed)
            result.decisions += 1
        elif kind == "end":
            result.complete = True
    if raised is not None:
        raise impossible(line, raised) from raised
    if expected and result.complete:
        return differs(line, None, expected[0])
    return result


def _describe(method: str, arguments: list[Any]) -> str:
    """An input in a few words, for the report of a divergence."""
    if method == "receive":
        channel, octets = arguments[0], arguments[1]
        return f"a frame of {len(octets)} octets on {channel} ({octets[:2].hex()}...)"
    return f"{method}({', '.join(str(a) for a in arguments)[:80]})"


def _engine(path: str, data: Any) -> Engine:
    try:
        return Engine(plan_from_dict(data))
    except Exception as error:
        raise TraceError(f"{path}: the configuration in its first line cannot be used: {error!r}") from error
