"""Commands whose node goes, comes back, refuses, or is none."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ptpstack.cli.main import main
from ptpstack.node.client import ControlClient, ControlUnavailable
from tests.netns import namespaces, veth
from tests.node.nodes import RunningNode


@contextlib.contextmanager
def peer(path: Path, answer: bytes, *, hang_up_first: bool = False) -> Iterator[str]:
    """Something that answers each connection with ``answer``; ``hang_up_first``: without reading the request."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            while True:
                try:
                    sock, _ = server.accept()
                except OSError:
                    return
                with sock, contextlib.suppress(OSError):
                    if not hang_up_first:
                        sock.recv(65536)
                    sock.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield str(path)
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


NONSENSE = [
    b"SSH-2.0-OpenSSH_9.2\n",
    b"[]\n",
    b"5\n",
    b"\xff\xfe\n",
    b"[" * 100_000 + b"\n",
    b'{"ok":true,"result":5}\n',
    b'{"ok":true,"result":{}}\n',
    b'{"ok":true,"result":{"instances":[{}]}}\n',
    b'{"ok":false}\n',
    b"no line end",
    b"",
]


@pytest.mark.parametrize("answer", NONSENSE, ids=range(len(NONSENSE)))
@pytest.mark.parametrize("command", [["status"], ["explain"], ["reference", "locked"], ["status", "--events"]])
def test_an_answer_that_is_none_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answer: bytes, command: list[str]
) -> None:
    with peer(tmp_path / "p.sock", answer) as path:
        status = main([*command, "--control", path])
    out, err = capsys.readouterr()
    if command == ["status", "--events"] and answer.startswith(b'{"ok":true'):
        return  # it agreed to stream, and ended
    assert status in (1, 2)
    assert err.startswith("ptpstack: ")
    assert err.count("\n") == 1
    assert len(err) < 400
    assert out == ""


def test_a_node_that_hangs_up_first_is_unavailable_or_heard(tmp_path: Path) -> None:
    words = b'{"ok":false,"error":"too many connections"}\n'
    with peer(tmp_path / "p.sock", words, hang_up_first=True) as path, ControlClient(path) as client:
        time.sleep(0.1)
        with pytest.raises(ValueError, match="too many connections"):
            client.request("status", filler="x" * 100_000)
    with peer(tmp_path / "q.sock", b"", hang_up_first=True) as path, ControlClient(path) as client:
        time.sleep(0.1)
        with pytest.raises(ControlUnavailable, match="has gone"):
            client.request("status", filler="x" * 100_000)


@pytest.mark.parametrize("text", ["inf", "nan", "1e11", "-1", "0", "soon"])
def test_watch_takes_sensible_intervals_only(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["status", "--watch", text])
    assert caught.value.code == 2
    assert "not a number of seconds" in capsys.readouterr().err


def test_watching_nothing_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--watch", "--control", str(tmp_path / "none")]) == 2
    assert "no node runs there" in capsys.readouterr().err


class Screen:
    """A command on a terminal of its own."""

    def __init__(self, *command: str) -> None:
        self.end, far = pty.openpty()
        self.process = subprocess.Popen(command, stdin=far, stdout=far, stderr=far, env=os.environ | {"TERM": "xterm"})
        os.close(far)
        self.text = ""

    def shows(self, words: str, seconds: float = 15) -> str:
        """Reads until ``words`` come; what came after the previous ``shows``."""
        self.text = ""
        end = time.monotonic() + seconds
        while words not in self.text:
            assert time.monotonic() < end, self.text[-2000:]
            if select.select([self.end], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.end, 65536).decode(errors="replace")
                except OSError:  # the terminal's last user has gone
                    assert words in self.text, self.text[-2000:]
        return self.text


@pytest.mark.namespaces
def test_a_watch_outlives_its_node(tmp_path: Path) -> None:
    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb", "10.7.0.1/24", "10.7.0.2/24")
        arguments = ("gm", "-i", "va", "--simulated", "perfect")
        gm = RunningNode(ns["a"], tmp_path, "gm", *arguments).ready()
        screen = Screen(sys.executable, "-m", "ptpstack", "status", "--watch", "0.2", "--control", gm.socket)
        screen.shows("up 0:00:")
        assert gm.stop() == 0
        screen.shows("trying again")
        gm = RunningNode(ns["a"], tmp_path, "gm", *arguments).ready()
        screen.shows("up 0:00:")
        end = time.monotonic() + 10
        while "trying again" in screen.shows("up 0:00:"):
            assert time.monotonic() < end
        assert gm.stop() == 0
        screen.shows("trying again")
        screen.process.send_signal(signal.SIGINT)
        # the alternate screen is left (rmcup), and the error comes after it
        last = screen.shows("ptpstack: ")
        assert "\x1b[?1049l" in last
        assert last.rindex("\x1b[?1049l") < last.rindex("ptpstack: ")
        assert screen.process.wait(10) == 130
        os.close(screen.end)
