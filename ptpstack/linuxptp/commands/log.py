"""The log of a linuxptp command: ``ptp4l[123.456]: [tag] text`` on the terminal, ``[123.456] [tag] text`` to syslog.

The number is CLOCK_MONOTONIC in seconds: it does not jump when the time that is being set does.
"""

from __future__ import annotations

import sys
import syslog
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

from ptpstack.engine.effects import Event
from ptpstack.node.journal import LEVELS, Journal, sentence

if TYPE_CHECKING:
    from ptpstack.linuxptp.settings import Settings

ERROR, WARNING, NOTICE, INFO, DEBUG = 3, 4, 5, 6, 7
_NAMES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


class _Terminal(Journal):
    """A stream that nobody may block; lines come ready made."""

    # as many as a port with 128 Syncs a second writes, and then some
    LINES_PER_SECOND = 1000

    def __init__(self, stream: IO[str], head: Callable[[int], str]) -> None:
        super().__init__("debug", stream)
        self._head = head

    def _line(self, severity: int, text: str, now: float) -> str:
        return f"{self._head(severity)}{text}\n"


class CommandLog(Journal):
    """Stands where a node has its journal. ``verbose`` (-m): to the terminal; ``use_syslog`` (not -q): to syslog.

    On the terminal, errors and warnings go to stderr and the rest to stdout, as linuxptp has it.
    """

    def __init__(
        self, name: str, *, level: int = INFO, verbose: bool = False, use_syslog: bool = True, tag: str = ""
    ) -> None:
        super().__init__("info")
        self.name = name
        self.verbose = verbose
        self.level = max(0, min(DEBUG, level))
        self._tag = tag
        self._streams = (_Terminal(sys.stdout, self._head), _Terminal(sys.stderr, self._head)) if verbose else ()
        self._use_syslog = use_syslog
        if use_syslog:
            syslog.openlog(name)
        #: renders events; None: in our own words
        self.lines: Callable[[Event, int], list[tuple[int, str]] | None] | None = None

    @classmethod
    def of(cls, name: str, settings: Settings) -> CommandLog:
        """As ``logging_level``, ``verbose``, ``use_syslog`` and ``message_tag`` say."""
        return cls(
            name,
            level=settings.number("logging_level"),
            verbose=bool(settings.number("verbose")),
            use_syslog=bool(settings.number("use_syslog")),
            tag=settings.text("message_tag"),
        )

    def _head(self, severity: int) -> str:
        return f"{self.name}{self._stamp()}: {self._tagged(severity)}"

    def _stamp(self) -> str:
        return f"[{time.monotonic_ns() // 1_000_000 / 1000:.3f}]"

    def _tagged(self, severity: int) -> str:
        return self._tag.replace("{level}", _NAMES[severity]) + " " if self._tag else ""

    def set_level(self, level: str) -> None:
        """From a configuration of ours that is applied while it runs."""
        self.level = LEVELS[level]

    def log(self, severity: int, text: str) -> None:
        if severity > self.level:
            return
        if self._streams:
            self._streams[0 if severity >= NOTICE else 1].log(severity, text)
        if self._use_syslog:
            syslog.syslog(severity, f"{self._stamp()} {self._tagged(severity)}{text}")

    def event(self, event: Event, now_ns: int) -> None:
        said = None if self.lines is None else self.lines(event, now_ns)
        for severity, text in [sentence(event)] if said is None else said:
            self.log(severity, text)
