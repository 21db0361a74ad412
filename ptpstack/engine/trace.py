"""Traces: every input of an engine and everything it decided, and the replay that compares.

A trace is lines of JSON (gzip when the name ends in ``.gz``), each ``[kind, now_ns, ...]``:

* ``["ptpstack-trace", 1, {...}]``      first line: format version, and the plan the engine was made of
* ``["in", now, method, [arguments]]``   an input, octets as hexadecimal
* ``["out", now, name, [fields]]``       an effect it caused; these are what a replay compares
* ``["end", now, {counts}]``             a clean end; a trace without it was cut off

One line is one write: a trace of a process that died is good up to its last line. A compressed one is written in
blocks, so that it may lack the last ones.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from ptpstack.engine.effects import EngineEffect
from ptpstack.engine.engine import Engine, PlainAnswer
from ptpstack.engine.plan import EnginePlan, plan_as_dict, plan_from_dict

FORMAT = 1
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
)
#: the position of ``now`` among each method's arguments
_NOW = {"start": 0, "receive": 4, "transmitted": 2, "link": 2, "timer": 0, "commanded": 4, "reading": 4}
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
    """An engine whose inputs and decisions are written down as they pass."""

    def __init__(self, plan: EnginePlan, stream: IO[str]) -> None:
        super().__init__(plan)
        self._stream = stream
        self._inputs = self._outputs = 0
        self._write(["ptpstack-trace", FORMAT, plan_as_dict(plan)])
        for method in METHODS:
            setattr(self, method, self._recording(method, getattr(self, method)))

    def plain_answers(self, channel: str) -> dict[bytes, PlainAnswer]:
        """None: every frame has to pass where it is written down."""
        return {}

    def _write(self, record: list[Any]) -> None:
        self._stream.write(json.dumps(record, separators=(",", ":")) + "\n")

    def _recording(self, method: str, call: Callable[..., list[EngineEffect]]) -> Callable[..., list[EngineEffect]]:
        position = _NOW[method]

        def recorded(*arguments: Any) -> list[EngineEffect]:
            now = arguments[position]
            self._inputs += 1
            self._write(["in", now, method, [_encode(a) for a in arguments]])
            effects = call(*arguments)
            for effect in effects:
                self._outputs += 1
                self._write(["out", now, type(effect).__name__, [_encode(value) for value in effect]])
            return effects

        return recorded

    def close_trace(self, now: int) -> None:
        """The clean end of the trace."""
        self._write(["end", now, {"in": self._inputs, "out": self._outputs}])
        self._stream.close()


def open_for_writing(path: str) -> IO[str]:
    """A new trace file; line by line, so that little is lost when the process dies."""
    if path.endswith(".gz"):
        return io.TextIOWrapper(gzip.open(path, "wb"), encoding="ascii")
    return open(path, "w", encoding="ascii", buffering=1)


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


def _open_for_reading(path: str) -> IO[str]:
    if path.endswith(".gz"):
        return io.TextIOWrapper(gzip.open(path, "rb"), encoding="ascii")
    return open(path, encoding="ascii")


def read_trace(path: str) -> Iterator[tuple[int, list[Any]]]:
    """(line number, record). TraceError for what is no trace; a last line cut short ends the trace quietly."""
    number = 0
    damaged: ValueError | RecursionError | None = None
    try:
        with _open_for_reading(path) as stream:
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
    expected: list[list[Any]] = []
    last_input = "the start"
    now = 0

    def differs(line: int, recorded: list[Any] | None, replayed: list[Any] | None) -> ReplayResult:
        result.divergence = Divergence(line, now, last_input, recorded, replayed)
        return result

    line = 0
    for line, record in read_trace(path):
        kind = record[0]
        if kind == "ptpstack-trace":
            if record[1] != FORMAT:
                raise TraceError(f"{path}: trace format {record[1]}, this program reads {FORMAT}")
            engine = _engine(path, record[2])
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
            except Exception as error:
                # whatever an engine may raise for arguments of another kind: a real one never had them
                raise TraceError(
                    f"{path}: line {line}: an input no engine can have had ({type(error).__name__}: {error})"
                ) from error
            result.inputs += 1
            result.first_ns = result.first_ns or now
            result.last_ns = now
            result.counts[method] = result.counts.get(method, 0) + 1
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
