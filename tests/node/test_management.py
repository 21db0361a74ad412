"""The local management sockets of a node, and the client: paths, rights, slow peers, peers without a name."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ptpstack.node import management
from ptpstack.node.errors import AssemblyError
from ptpstack.node.loop import Loop
from ptpstack.node.management import ManagementSockets
from ptpstack.node.management_client import LocalTransport, ManagementClient, ManagementUnavailable
from ptpstack.protocol.management.table import READ_ONLY, READ_WRITE
from ptpstack.wire.management.commands import parse


class Server:
    """Sockets in a loop that answers each datagram with what ``answer`` makes of it."""

    def __init__(self, folder: Path) -> None:
        self.loop = Loop()
        self.paths = {READ_WRITE: str(folder / "uds"), READ_ONLY: str(folder / "uds-ro")}
        self.got: list[tuple[str, bytes, str]] = []
        self.sockets = ManagementSockets(self.loop, self.paths, self._take)

    def _take(self, name: str, octets: bytes, address: str) -> None:
        self.got.append((name, octets, address))

    def turn(self) -> None:
        """What is there now."""
        self.loop.set_deadline(self.loop.now_ns())
        self.loop.on_timer(self.loop.stop)
        self.loop.run()

    def close(self) -> None:
        self.sockets.close()
        self.loop.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.close()


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.bind(str(tmp_path / "peer"))
        yield sock


def test_a_datagram_comes_with_the_name_of_its_socket_and_peer(server: Server, peer: socket.socket) -> None:
    path = peer.getsockname()
    for name in (READ_WRITE, READ_ONLY):
        peer.sendto(name.encode(), server.paths[name])
        server.turn()
    assert server.got == [(READ_WRITE, b"read-write", path), (READ_ONLY, b"read-only", path)]
    server.sockets.send(READ_ONLY, b"answer", path)
    assert peer.recvfrom(100) == (b"answer", server.paths[READ_ONLY])


def test_rights_and_names(server: Server) -> None:
    modes = {name: stat.S_IMODE(os.stat(path).st_mode) for name, path in server.paths.items()}
    assert modes == {READ_WRITE: 0o660, READ_ONLY: 0o666}
    server.sockets.close()
    assert not any(os.path.exists(path) for path in server.paths.values())


def test_a_peer_without_a_name_cannot_be_answered(server: Server) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nameless:
        nameless.sendto(b"x", server.paths[READ_WRITE])
        server.turn()
    assert server.got == []
    assert server.sockets.counters["drop-no-address"] == 1


def test_a_peer_that_has_gone_is_counted(server: Server, tmp_path: Path) -> None:
    server.sockets.send(READ_WRITE, b"x", str(tmp_path / "gone"))
    assert server.sockets.counters["peer-gone"] == 1


def test_a_slow_peer_gets_all_in_order_and_holds_up_nobody(server: Server, peer: socket.socket) -> None:
    path = peer.getsockname()
    for number in range(200):
        server.sockets.send(READ_WRITE, str(number).encode(), path)
    got = []
    while len(got) < 200:
        try:
            got.append(int(peer.recv(100)))
        except BlockingIOError:
            due = server.sockets.retry(server.loop.now_ns())
            assert due is not None
            server.sockets.retry(due)
    assert got == list(range(200))
    assert server.sockets.retry(server.loop.now_ns()) is None


def test_a_peer_that_never_reads_is_given_up(
    server: Server, peer: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(management, "MAX_WAITING", 50)
    path = peer.getsockname()
    for _ in range(200):
        server.sockets.send(READ_WRITE, b"x", path)
    dropped = server.sockets.counters["drop-peer-slow"]
    assert 200 - 50 - 150 <= dropped < 200 - 50
    far = server.loop.now_ns() + 2 * management.GIVE_UP_NS
    assert server.sockets.retry(far) is None
    assert server.sockets.counters["drop-peer-slow"] == dropped + 50


def test_the_name_of_a_dead_program_is_taken_over_and_that_of_a_living_one_is_not(
    server: Server, tmp_path: Path
) -> None:
    with pytest.raises(AssemblyError, match="another program's"):
        ManagementSockets(server.loop, server.paths, server._take)
    dead = str(tmp_path / "dead")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(dead)
    ManagementSockets(server.loop, {READ_WRITE: dead}, server._take).close()
    (tmp_path / "file").write_text("precious")
    with pytest.raises(AssemblyError, match="not a socket"):
        ManagementSockets(server.loop, {READ_WRITE: str(tmp_path / "file")}, server._take)
    assert (tmp_path / "file").read_text() == "precious"


def test_a_path_that_cannot_be_had_leaves_nothing_open(tmp_path: Path) -> None:
    loop = Loop()
    (tmp_path / "file").write_text("")
    paths = {READ_WRITE: str(tmp_path / "uds"), READ_ONLY: str(tmp_path / "file" / "uds")}
    with pytest.raises(AssemblyError, match="choose another path"):
        ManagementSockets(loop, paths, lambda *_: None)
    assert not os.path.exists(paths[READ_WRITE])
    loop.close()


def test_the_client_says_whom_it_cannot_reach(tmp_path: Path) -> None:
    with pytest.raises(ManagementUnavailable, match="no node serves it"):
        LocalTransport(str(tmp_path / "nobody"), str(tmp_path / "own")).send(b"x")
    assert list(tmp_path.iterdir()) == []


def test_the_client_leaves_no_socket_behind(server: Server, tmp_path: Path) -> None:
    before = set(os.listdir(tmp_path))
    with ManagementClient(LocalTransport(server.paths[READ_WRITE])) as client:
        command: Any = parse("GET PRIORITY1")
        assert client.ask(command, 0.05) == []
        assert set(os.listdir(tmp_path)) - before == {f"pmc.{os.getpid()}"}
    assert set(os.listdir(tmp_path)) == before


def pmc(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ptpstack", "pmc", *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)


def test_the_command_explains_itself_and_its_mistakes(tmp_path: Path) -> None:
    assert "GET CURRENT_DATA_SET" in pmc("--help").stdout
    nobody = pmc("-s", str(tmp_path / "nobody"), "GET PRIORITY1")
    assert nobody.returncode == 2
    assert "start one with --management PATH" in nobody.stderr
    no_interface = pmc("-4", "GET PRIORITY1")
    assert (no_interface.returncode, "Add -i" in no_interface.stderr) == (2, True)
