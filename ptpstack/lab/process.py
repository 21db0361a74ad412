"""Child processes that cannot outlive the runner, inside a namespace of the lab."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ptpstack.lab import linux
from ptpstack.lab.errors import LabError
from ptpstack.lab.rundir import MARKER, RunDirectory


class Child:
    """One child: started in ``network_of`` (a pid), with its own session, dead when the runner is dead."""

    def __init__(self, name: str, process: subprocess.Popen[bytes]) -> None:
        self.name = name
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_status(self) -> int | None:
        """None while it runs; else the exit status, negative = the signal that ended it.

        Only looks: the process stays unreaped, so its pid and group cannot pass to a stranger before ``reap``.
        """
        if self._process.returncode is not None:
            return self._process.returncode
        result = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if result is None:
            return None
        return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status

    def signal(self, number: int) -> None:
        """To the whole process group; does nothing once it was reaped."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def reap(self, timeout_s: float) -> int:
        """Wait for the end, at most ``timeout_s``, then SIGKILL what is left of the group. Returns the exit status."""
        limit = time.monotonic() + timeout_s
        while self.exit_status() is None and time.monotonic() < limit:
            time.sleep(0.005)
        # a stopped process (SIGSTOP) obeys SIGKILL too
        self.signal(signal.SIGKILL)
        return self._process.wait()


def spawn(
    run: RunDirectory,
    name: str,
    argv: Sequence[str],
    *,
    enter: Callable[[], None],
    log: Path | None = None,
    cwd: Path | None = None,
    extra_environment: Mapping[str, str] | None = None,
) -> Child:
    """Start ``argv``; ``enter`` runs in the child between fork and exec (to enter or make namespaces).

    stdout and stderr are appended to ``log``. LabError when the program cannot be started.
    """
    if threading.current_thread() is not threading.main_thread():
        raise LabError("a lab starts its processes from the main thread: PR_SET_PDEATHSIG follows the starting thread")
    parent = os.getpid()

    def in_child() -> None:
        linux.die_with_parent(parent)
        enter()

    environment = {**os.environ, **(extra_environment or {}), MARKER: run.lab_id}
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if log else os.open(os.devnull, os.O_WRONLY)
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env=environment,
            start_new_session=True,
            preexec_fn=in_child,
        )
    except FileNotFoundError as error:
        raise LabError(
            f"{name}: there is no program {argv[0]!r} here. Install it, or correct the node's command"
        ) from error
    except (OSError, subprocess.SubprocessError) as error:
        raise LabError(f"{name}: {argv[0]!r} could not be started: {error}") from error
    finally:
        os.close(output)
    run.record_process(name, process.pid)
    return Child(name, process)
