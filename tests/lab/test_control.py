"""The control client against sockets that behave and sockets that do not."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ptpstack.lab.control import ControlClient, ControlClosed, ControlError


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[ControlClient, socket.socket]]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        client = ControlClient(tmp_path / "s")
        server, _ = listener.accept()
        with server:
            yield client, server
        client.close()


Pair = tuple[ControlClient, socket.socket]


def test_answers_come_in_the_order_of_requests_however_cut(pair: Pair) -> None:
    client, server = pair
    client.request("status", {"cmd": "status"}, 1.0)
    client.request("truth", {"cmd": "truth"}, 2.0)
    assert [json.loads(line)["cmd"] for line in server.recv(999).splitlines()] == ["status", "truth"]
    assert (client.outstanding, client.oldest_s(5.0)) == (2, 4.0)
    server.sendall(b'{"ok": true, "resu')
    assert client.receive() == []
    server.sendall(b'lt": 1}\n{"ok": false}\n')
    assert client.receive() == [("status", {"ok": True, "result": 1}), ("truth", {"ok": False})]
    assert (client.outstanding, client.oldest_s(9.0)) == (0, 0.0)


@pytest.mark.parametrize("answer", [b"{]\n", b"[1]\n", b"\xff\n"])
def test_what_is_not_the_protocol(pair: Pair, answer: bytes) -> None:
    client, server = pair
    client.request("status", {"cmd": "status"}, 0.0)
    server.sendall(answer)
    with pytest.raises(ControlError, match="JSON"):
        client.receive()


def test_an_answer_that_nobody_asked_for(pair: Pair) -> None:
    client, server = pair
    server.sendall(b"{}\n")
    with pytest.raises(ControlError, match="nobody asked"):
        client.receive()


def test_the_last_answer_before_the_end_is_not_lost(pair: Pair) -> None:
    client, server = pair
    client.request("status", {"cmd": "status"}, 0.0)
    server.sendall(b'{"ok": true}\n')
    server.shutdown(socket.SHUT_WR)
    assert client.receive() == [("status", {"ok": True})]
    with pytest.raises(ControlClosed):
        client.receive()


def test_a_peer_that_does_not_read_blocks_nobody(pair: Pair) -> None:
    client, server = pair
    for _ in range(40):
        client.request("x", {"cmd": "x" * 20_000}, 0.0)
    assert client.wants_write
    total = 0
    while client.wants_write:
        total += len(server.recv(1 << 20))
        client.flush()
    server.setblocking(False)
    while total < 40 * 20_000:
        total += len(server.recv(1 << 20))
    assert total > 40 * 20_000


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ControlClient(tmp_path / "none")
