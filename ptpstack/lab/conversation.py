"""What nodes are asked, and what becomes of their answers: one selector for the control sockets of all."""

from __future__ import annotations

import contextlib
import selectors
import time
from collections.abc import Callable
from typing import Any

from ptpstack.lab.chronicle import Chronicle
from ptpstack.lab.control import ControlClient, ControlClosed, ControlError
from ptpstack.lab.recording import Explained, MalformedAnswer, NodeRecording, absorb
from ptpstack.lab.worker import Worker

_EXPLANATIONS_PER_NODE = 40


class Conversation:
    def __init__(self, chronicle: Chronicle, asked_to_stop: Callable[[], bool]) -> None:
        self._chronicle = chronicle
        self._asked_to_stop = asked_to_stop
        self._selector = selectors.DefaultSelector()
        #: by node: the answer to ``status`` that waits for the one to ``truth``
        self._status: dict[str, Any] = {}

    def close(self) -> None:
        self._selector.close()

    def wait(self, seconds: float) -> None:
        """Let sockets speak for so long."""
        until = time.monotonic() + max(0.0, seconds)
        while True:
            left = until - time.monotonic()
            for key, mask in self._selector.select(max(0.0, left)) if self._selector.get_map() else _sleep(left):
                worker, client = key.data
                self._serve(worker, client, mask)
            if left <= 0 or self._asked_to_stop():
                return

    def look(self, worker: Worker) -> None:
        """Ask how it is, unless it still owes an answer."""
        if worker.connect() and worker.control is not None and worker.events is not None:
            for client in (worker.control, worker.events):
                self._selector.register(client, selectors.EVENT_READ, (worker, client))
            self._ask(worker, worker.events, "event", {"cmd": "events"})
        if worker.control is not None and worker.control.outstanding == 0:
            worker.silence_reported = False
            self.ask(worker, "status", {"cmd": "status"})
            self.ask(worker, "truth", {"cmd": "truth"})

    def ask(self, worker: Worker, tag: str, body: dict[str, Any]) -> None:
        """Nothing happens without a connection."""
        if worker.control is not None:
            self._ask(worker, worker.control, tag, body)

    def drop(self, worker: Worker) -> None:
        """End the connection; the next look makes another."""
        for client in (worker.control, worker.events):
            if client is not None:
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(client)
        worker.disconnect()

    def forget(self, worker: Worker) -> None:
        """It has ended."""
        self.drop(worker)
        self._status.pop(worker.node.label, None)

    def _ask(self, worker: Worker, client: ControlClient, tag: str, body: dict[str, Any]) -> None:
        try:
            client.request(tag, body, time.monotonic())
        except ControlError:
            self.drop(worker)
            return
        if client.wants_write:
            both = selectors.EVENT_READ | selectors.EVENT_WRITE
            self._selector.modify(client, both, (worker, client))

    def _serve(self, worker: Worker, client: ControlClient, mask: int) -> None:
        if client not in (worker.control, worker.events):
            return  # dropped by an earlier answer of the same round
        try:
            if mask & selectors.EVENT_WRITE:
                client.flush()
                if not client.wants_write:
                    self._selector.modify(client, selectors.EVENT_READ, (worker, client))
            if mask & selectors.EVENT_READ:
                for tag, answer in client.receive():
                    self._answer(worker, tag, answer)
        except ControlClosed:
            # most often the node is ending, which shows in its exit status; if it lives on, its silence is reported
            self.drop(worker)
        except ControlError as error:
            self.drop(worker)
            self._chronicle.incident(worker, f"control socket: {error}")

    def _answer(self, worker: Worker, tag: str, answer: dict[str, Any]) -> None:
        label, now = worker.node.label, self._chronicle.now()
        node = self._chronicle.node(worker)
        if tag == "event":
            return
        if not answer.get("ok"):
            if tag.startswith("reference"):
                self._chronicle.incident(worker, f"refused {tag}: {answer.get('error', 'no reason given')}")
            elif tag == "status":
                self._status.pop(label, None)
                self._chronicle.incident(worker, f"status: {answer.get('error', 'no reason given')}")
                return
            if tag != "truth":
                return
        if tag == "status":
            self._status[label] = answer.get("result")
        elif tag.startswith("explain "):
            node.explained.append(Explained(now, tag.partition(" ")[2], answer.get("result")))
        elif tag == "truth" and label in self._status:
            try:
                changed = absorb(node, self._chronicle.recording, now, self._status.pop(label), answer.get("result"))
            except MalformedAnswer as error:
                self._chronicle.incident(worker, f"its status is not what the control protocol promises: {error}")
                changed = []
            worker.answered = True
            if self._chronicle.zero is not None:
                self._grandmaster_changed(worker, node, changed)

    def _grandmaster_changed(self, worker: Worker, node: NodeRecording, instances: list[str]) -> None:
        for name in instances:
            follows = self._chronicle.recording.label_of(node.instances[name].samples[-1].grandmaster)
            whom = "itself" if follows == node.label else follows
            self._chronicle.tell(f"{node.label}/{name} now follows {whom}")
            if len(node.explained) < _EXPLANATIONS_PER_NODE:
                self.ask(worker, f"explain {name}", {"cmd": "explain", "port": None})


def _sleep(seconds: float) -> list[tuple[selectors.SelectorKey, int]]:
    """select() without descriptors returns at once on some selectors: wait by hand, in slices that a signal can end."""
    time.sleep(min(max(0.0, seconds), 0.05))
    return []
