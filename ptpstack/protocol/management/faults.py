"""faultLogDS (IEEE 1588-2019 8.2.6): the newest faults of an instance, for FAULT_LOG."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from ptpstack.protocol.effects import Effect, StateChanged
from ptpstack.wire.types import PortState

#: As many as surely fit into one answer.
MAX_RECORDS = 16
#: severityCode as in syslog
ERROR, NOTICE = 3, 5
_MAX_TEXT = 60


class FaultLog:
    def __init__(self) -> None:
        self._records: deque[dict[str, Any]] = deque(maxlen=MAX_RECORDS)

    def note(self, effect: Effect, time_ns: Callable[[], int | None]) -> None:
        """Takes in what is a fault: a port that becomes FAULTY, or loses its master."""
        if not isinstance(effect, StateChanged):
            return
        if effect.new is PortState.FAULTY:
            severity = ERROR
        elif effect.event == "synchronization-fault":
            severity = NOTICE
        else:
            return
        when = time_ns()
        decision = effect.decision
        self._records.append(
            {
                "faultTime": when if when is not None and when >= 0 else None,
                "severityCode": severity,
                "faultName": f"port {effect.port} {effect.event}",
                "faultValue": effect.new.name,
                "faultDescription": _short("" if decision is None else decision.reason),
            }
        )

    def records(self) -> tuple[dict[str, Any], ...]:
        """Oldest first."""
        return tuple(self._records)

    def reset(self) -> None:
        self._records.clear()


def _short(text: str) -> str:
    """At most so many octets of UTF-8, no symbol cut in two."""
    return text.encode()[:_MAX_TEXT].decode("utf-8", "ignore")
