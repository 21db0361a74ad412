"""Events as log lines: one rendering for the terminal, one for journald (with its priority prefix)."""

from __future__ import annotations

import os
import select
import sys
import time
from typing import IO, Any

from ptpstack.engine.effects import Event

LEVELS = {"debug": 7, "info": 6, "warning": 4, "error": 3}

_CLOCK_TROUBLES = {
    "clock-failed": "a command was refused",
    "reading-failed": "could not be read",
    "implausible-time": "not followed",
    "clock-gone": "the device is gone, and looked for once a second",
}


def sentence(event: Event) -> tuple[int, str]:
    """(syslog severity, text) of an event."""
    data = event.data
    where = f"{event.instance}/{event.port}" if event.port else event.instance
    because = _because(data.get("decision"))
    kind = event.kind
    if kind == "port-state":
        text = f"{where}: {data['old']} -> {data['new']} ({data['event']}){because}"
        return (4 if data["new"] == "FAULTY" else 6), text
    if kind == "as-capable":
        return (6 if data["as_capable"] else 4), f"{where}: {'' if data['as_capable'] else 'not '}asCapable{because}"
    if kind == "parent":
        return 6, f"{where}: parent {data['old']} -> {data['new']}, grandmaster {data['grandmaster']}{because}"
    if kind == "servo":
        role = "steering" if data["steers"] else "watching"
        return 6, f"{where or data['edge']}: servo {data['old'] or 'start'} -> {data['new']} ({role})"
    if kind == "steering":
        return 6, f"{_clock(data)}{because}"
    if kind == "reference":
        return 6, f"reference of {data['clock']}: {data['state']}{because}"
    if kind == "verdict":
        return 5, f"{data['edge']}{_because(data['decision'])}"
    if kind == "clock-step":
        return 4, f"{_clock(data)} stepped by {data['step_ns']:+.0f} ns: {data['reason']}"
    if kind == "link":
        return (6 if data["up"] else 4), f"{data['channel']}: link {'up' if data['up'] else 'down'}"
    if kind == "silent":
        return 4, f"{where or data['edge']}: no measurement for {data['for_s']:.1f} s"
    if kind == "channel-failed":
        return 3, f"{data['reason']} ({data['channel']} is tried again every second)"
    if kind == "channel-open":
        return 6, f"{data['channel']}: open, {data['stamping']} time stamps"
    if kind == "management":
        by = f"by management ({data['way']}, {data['address'] or 'no address'})"
        return 5, f"{where}: {' '.join(filter(None, (data['id'], data['values'])))} {by}"
    if kind == "settings":
        return 4, f"{where}: {data['reason']}"
    if kind == "record-failed":
        return 3, data["reason"]
    if kind == "foreign-change":
        return 4, f"{_clock(data)}{because}"
    if kind == "keys":
        each = "; ".join(f"spp {a['spp']}: {', '.join(map(str, a['keys']))}" for a in data["associations"])
        return 5, f"keys in force: {each}"
    if kind == "configured":
        return 7, f"{where}: {data}"
    if kind == "leader":
        return 6, f"{where}{because}"
    if kind == "pulses":
        return (6 if data["used"] else 4), f"pulses of {data['clock']}: {data['reason'] or 'in use'}"
    if kind == "drift-file":
        return 6, (f"clock {data['clock']}: " if data["clock"] else "") + data["reason"]
    if kind == "active-member":
        return 5, f"{data['channel']}: {data['to']} is active instead of {data['from']}: {data['reason']}"
    if kind == "clock-back":
        return 5, f"{_clock(data)}: there again, as {data['device']}" + (f"; {data['note']}" if data["note"] else "")
    if kind == "reading-resumed":
        return 5, f"{_clock(data)}: can be read again, after {data['failures']} failures"
    if kind in _CLOCK_TROUBLES:
        return 3 if kind == "clock-failed" else 4, f"{_clock(data)}: {_CLOCK_TROUBLES[kind]}: {data['reason']}"
    return 6, f"{where + ': ' if where else ''}{kind} {data}"


def _clock(data: dict[str, Any]) -> str:
    # a site that names no clock has one, called "clock"
    return "the clock" if data["clock"] == "clock" else f"clock {data['clock']}"


def _because(decision: Any) -> str:
    return f": {decision['reason']}" if isinstance(decision, dict) and decision.get("reason") else ""


class Journal:
    """Writes to ``stream`` (stderr); caps the rate, so that a flapping network cannot fill a disk.

    Never waits for who reads it: a line for which there is no room (a terminal stopped by Ctrl-S, a full pipe) is
    dropped and counted. ``stream`` stays a blocking one, because other processes may share it.
    """

    LINES_PER_SECOND = 50

    def __init__(self, level: str = "info", stream: IO[str] | None = None) -> None:
        self._limit = LEVELS[level]
        self._stream = stream if stream is not None else sys.stderr
        self._journald = "JOURNAL_STREAM" in os.environ and stream is None
        self._second = 0
        self._lines = self._suppressed = 0
        #: lines that nobody took
        self.unwritten = 0
        self._told_unwritten = 0
        try:
            self._fd: int | None = self._stream.fileno()
        except (OSError, ValueError, AttributeError):
            self._fd = None  # an object in memory
        self._room = select.poll()
        if self._fd is not None:
            self._room.register(self._fd, select.POLLOUT)

    def set_level(self, level: str) -> None:
        self._limit = LEVELS[level]

    def log(self, severity: int, text: str) -> None:
        if severity > self._limit:
            return
        now = time.time()
        if int(now) != self._second:
            suppressed, self._suppressed = self._suppressed, 0
            self._second, self._lines = int(now), 0
            if suppressed:
                self._write(4, f"{suppressed} lines were left out: more than {self.LINES_PER_SECOND} in a second", now)
        self._lines += 1
        if self._lines > self.LINES_PER_SECOND and severity > 3:
            self._suppressed += 1
            return
        self._write(severity, text, now)

    def _write(self, severity: int, text: str, now: float) -> None:
        lost = self.unwritten - self._told_unwritten
        # in one write with what follows: there may be room for one only
        missing = self._line(4, f"{lost} lines are missing here: nobody read this log", now) if lost else ""
        if self._put(missing + self._line(severity, text, now)):
            self._told_unwritten = self.unwritten
        else:
            self.unwritten += 1

    def _line(self, severity: int, text: str, now: float) -> str:
        if self._journald:
            return f"<{severity}>{text}\n"
        return time.strftime("%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d} {text}\n"

    def _put(self, lines: str) -> bool:
        """False when nobody took them."""
        try:
            if self._fd is None:
                self._stream.write(lines)
                return True
            if not any(events & select.POLLOUT for _, events in self._room.poll(0)):
                return False
            octets = lines.encode(errors="backslashreplace")
            if len(octets) > select.PIPE_BUF:
                octets = octets[: select.PIPE_BUF - 1] + b"\n"
            # what poll calls writable takes PIPE_BUF octets without waiting, and in one piece
            os.write(self._fd, octets)
            return True
        except (OSError, ValueError):
            # a log nobody reads must not end the time service
            return False

    def event(self, event: Event, now_ns: int) -> None:
        self.log(*sentence(event))
