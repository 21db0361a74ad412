"""The control socket against peers that do not read, ask too much, stay too long or are too many."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ptpstack.node import control as module
from ptpstack.node.control import ControlServer, ControlSocketError
from ptpstack.node.loop import Loop

BIG = "x" * 100_000


class Table:
    """A server on a loop of its own; ``turn`` runs the loop for a moment."""

    def __init__(self, folder: Path) -> None:
        self.loop = Loop("auto")
        self.path = str(folder / "c.sock")
        self.served = 0
        self.server = ControlServer(
            self.loop, self.path, {"big": self._big, "bug": self._bug, "nan": self._nan}, frozenset()
        )
        self.peers: list[socket.socket] = []

    def _big(self, request: dict[str, Any]) -> str:
        self.served += 1
        return BIG

    def _bug(self, request: dict[str, Any]) -> None:
        raise AttributeError("a mistake of ours")

    def _nan(self, request: dict[str, Any]) -> dict[str, float]:
        return {"value": float("nan"), "other": 1.0}

    def connect(self) -> socket.socket:
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(5)
        peer.connect(self.path)
        self.peers.append(peer)
        return peer

    def turn(self, until: Callable[[], bool] | None = None, seconds: float = 2.0) -> int:
        """Turns taken until ``until`` holds (looked at every 10 ms), or for 50 ms."""
        before = self.loop.turns
        end = self.loop.now_ns() + int((seconds if until else 0.05) * 1e9)

        def tick() -> None:
            if (until is not None and until()) or self.loop.now_ns() >= end:
                self.loop.stop()
            else:
                self.loop.set_deadline(self.loop.now_ns() + 10_000_000)

        self.loop.on_timer(tick)
        self.loop.set_deadline(self.loop.now_ns() + 10_000_000)
        self.loop.run()
        return self.loop.turns - before

    def backlog(self) -> int:
        return max((len(c.backlog) + len(c.received) for c in self.server._connections.values()), default=0)


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Table]:
    made = Table(tmp_path)
    yield made
    for peer in made.peers:
        peer.close()
    made.server.close()
    made.loop.close()


def answers(peer: socket.socket, count: int) -> list[dict[str, Any]]:
    stream = peer.makefile("rb")
    return [json.loads(stream.readline()) for _ in range(count)]


def test_who_does_not_read_is_not_read_from(table: Table) -> None:
    peer = table.connect()
    peer.setblocking(False)
    requests = b'{"cmd":"big"}\n' * 4000
    sent = 0
    for _ in range(20):
        with contextlib.suppress(BlockingIOError):
            sent += peer.send(requests[sent:])
        table.turn()
    # 4000 answers would be 400 MB
    assert table.backlog() < 2 * module.BUSY_BACKLOG
    assert table.served < 20
    # and nothing spins meanwhile
    assert table.turn() < 20
    # it is served on as it reads, and loses nothing
    served = table.served
    peer.setblocking(True)
    reader = threading.Thread(target=answers, args=(peer, served + 10))
    reader.start()

    def more() -> bool:
        table.server.housekeep()
        return table.served >= served + 10 and not reader.is_alive()

    table.turn(more, 5)
    reader.join(5)
    assert not reader.is_alive()


def test_a_burst_of_requests_is_served_over_several_turns(table: Table) -> None:
    peer, other = table.connect(), table.connect()
    table.turn()
    order: list[int] = []
    real = table.server._serve_some

    def watched(connection: Any) -> None:
        before = table.served
        real(connection)
        order.append(table.served - before)

    table.server._serve_some = watched  # type: ignore[method-assign]
    got: list[dict[str, Any]] = []
    reader = threading.Thread(target=lambda: got.extend(answers(peer, 50)))
    reader.start()
    peer.sendall(b'{"cmd":"big"}\n' * 50)
    other.sendall(b'{"cmd":"nonsense"}\n')

    def done() -> bool:
        table.server.housekeep()
        return not reader.is_alive()

    table.turn(done, 10)
    assert len(got) == 50
    assert all(answer == {"ok": True, "result": BIG} for answer in got)
    assert max(order) <= module.REQUESTS_PER_TURN
    assert not answers(other, 1)[0]["ok"]


def test_too_many_connections_are_told(table: Table) -> None:
    peers = [table.connect() for _ in range(8)]
    while len(peers) < module.MAX_CONNECTIONS:
        table.turn()
        peers += [table.connect() for _ in range(8)]
    table.turn()
    extra = table.connect()
    table.turn()
    assert answers(extra, 1) == [{"ok": False, "error": f"too many connections ({module.MAX_CONNECTIONS}): close some"}]
    assert extra.recv(1) == b""
    peers[0].close()
    table.turn()
    again = table.connect()
    again.sendall(b'{"cmd":"nonsense"}\n')
    table.turn()
    assert "unknown cmd" in answers(again, 1)[0]["error"]


@pytest.mark.parametrize("way", ["time", "close"])
def test_a_refusal_to_accept_is_waited_out_without_spinning(
    table: Table, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    early = table.connect()
    table.turn()

    class Full:
        def accept(self) -> None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        def fileno(self) -> int:
            return real.fileno()

    real = table.server._sock
    table.server._sock = Full()  # type: ignore[assignment]
    late = table.connect()
    assert table.turn() < 20
    table.server._sock = real
    late.sendall(b'{"cmd":"nonsense"}\n')
    table.server.housekeep()
    assert table.turn() < 20
    late.settimeout(0.01)
    with pytest.raises(TimeoutError):
        late.recv(1)
    late.settimeout(5)
    if way == "close":
        early.close()
    else:
        monkeypatch.setattr(table.loop, "now_ns", lambda now=table.loop.now_ns: now() + module.ACCEPT_PAUSE_NS)
        table.server.housekeep()
        monkeypatch.undo()
    table.turn()
    assert "unknown cmd" in answers(late, 1)[0]["error"]


def test_idle_connections_go_and_streams_stay(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    idle, stream = table.connect(), table.connect()
    stream.sendall(b'{"cmd":"events"}\n')
    table.turn()
    assert answers(stream, 1)[0]["ok"]
    monkeypatch.setattr(table.loop, "now_ns", lambda now=table.loop.now_ns: now() + module.IDLE_NS + 1)
    table.server.housekeep()
    monkeypatch.undo()
    assert idle.recv(1) == b""
    table.server.publish("x", {"data": {"value": float("inf")}})
    assert answers(stream, 1) == [{"event": "x", "data": {"value": None}}]


def test_a_mistake_of_ours_is_an_answer(table: Table) -> None:
    peer = table.connect()
    peer.sendall(b'{"cmd":"bug"}\n{"cmd":"nan"}\n')
    table.turn()
    first, second = answers(peer, 2)
    assert "internal error" in first["error"]
    assert second["result"] == {"value": None, "other": 1.0}


def test_places_where_no_socket_can_be(tmp_path: Path) -> None:
    loop = Loop("auto")
    before = len(os.listdir("/proc/self/fd"))
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    for path, words in (
        ("", "needs a path"),
        (str(tmp_path / "dangling"), "exists and is not a socket"),
        (str(tmp_path / "file"), "exists and is not a socket"),
        (str(tmp_path / ("x" * 120)), "choose another place"),
    ):
        with pytest.raises(ControlSocketError, match=words):
            ControlServer(loop, path, {}, frozenset())
    assert len(os.listdir("/proc/self/fd")) == before
    assert (tmp_path / "dangling").is_symlink()
    loop.close()
