"""What a lab has to tell: its time, incidents and messages, into the recording and to who watches."""

from __future__ import annotations

import time
from typing import Protocol

from ptpstack.lab.recording import NodeRecording, Recording
from ptpstack.lab.worker import Worker


class Observer(Protocol):
    """Watches a lab as it runs; called often, must return soon."""

    def update(self, recording: Recording, now_s: float) -> None:
        """Something may have changed. Before lab time begins ``now_s`` is negative."""

    def message(self, text: str) -> None:
        """One line worth reading now."""


class Silence:
    """The observer that does nothing."""

    def update(self, recording: Recording, now_s: float) -> None:
        return None

    def message(self, text: str) -> None:
        return None


class Chronicle:
    def __init__(self, recording: Recording, observer: Observer) -> None:
        self.recording = recording
        self._observer = observer
        #: monotonic time at which lab time begins, s; None before
        self.zero: float | None = None

    def now(self) -> float:
        """Lab time; negative before it begins."""
        return -1.0 if self.zero is None else time.monotonic() - self.zero

    def node(self, worker: Worker) -> NodeRecording:
        return self.recording.nodes[worker.node.label]

    def update(self) -> None:
        self._observer.update(self.recording, self.now())

    def message(self, text: str) -> None:
        self._observer.message(text)

    def tell(self, text: str) -> None:
        """A message with its time."""
        self.message(f"{self.now():5.1f} s  {text}")

    def incident(self, worker: Worker, what: str) -> None:
        """Said once: a node that answers wrongly does so at every look."""
        label, now = worker.node.label, max(0.0, self.now())
        if any(incident.node == label and incident.what == what for incident in self.recording.incidents):
            return
        self.recording.incident(now, label, what, worker.log_tail())
        self.message(f"{now:5.1f} s  {label}: {what}")
