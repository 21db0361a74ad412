"""The few Linux calls that Python 3.11 does not offer: unshare, setns, prctl, mount; and who a process is.

A process is named by pid *and* start time: pids are used again.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
from collections.abc import Iterator
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000

_PR_SET_PDEATHSIG = 1
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, call: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the given namespaces (CLONE_NEW...) for new ones. OSError names the call."""
    _check(_libc().unshare(ctypes.c_int(flags)), f"unshare({flags:#x})")


def setns(descriptor: int, kind: int) -> None:
    """Enter the namespace behind ``descriptor``; affects the calling thread."""
    _check(_libc().setns(ctypes.c_int(descriptor), ctypes.c_int(kind)), f"setns({kind:#x})")


def die_with_parent(parent: int) -> None:
    """Ask for SIGKILL when the parent thread ends. For use between fork and exec.

    The parent may have died before the request was made; then the pid seen here is no longer ``parent``.
    """
    _check(
        _libc().prctl(ctypes.c_int(_PR_SET_PDEATHSIG), ctypes.c_ulong(signal.SIGKILL), 0, 0, 0),
        "prctl(PR_SET_PDEATHSIG)",
    )
    if os.getppid() != parent:
        os._exit(0)


def private_sysfs() -> None:
    """A /sys of the current network namespace, seen by this process alone.

    /sys/class/net shows the namespace that the mount was made in: without this, a node that looks there would be told
    of the host's interfaces. Best effort: a kernel that refuses the mount leaves the old view.
    """
    with contextlib.suppress(OSError):
        unshare(CLONE_NEWNS)
        libc = _libc()
        _check(libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None), "mount(private)")
        flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
        _check(libc.mount(b"sysfs", b"/sys", b"sysfs", ctypes.c_ulong(flags), None), "mount(sysfs)")


@contextlib.contextmanager
def inside_network(pid: int) -> Iterator[None]:
    """Run the body in the network namespace of ``pid``, then come back.

    A socket made inside stays inside for life. If the way back fails the process must not go on in the wrong
    namespace: abort.
    """
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            setns(there, CLONE_NEWNET)
        finally:
            os.close(there)
        try:
            yield
        finally:
            try:
                setns(home, CLONE_NEWNET)
            except OSError:
                os.abort()
    finally:
        os.close(home)


def start_time(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat: clock ticks since boot; None when there is no such process (or it is a zombie)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # the command name in parentheses may hold anything, also ")": split behind the last one
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def environment_of(pid: int) -> dict[str, str]:
    """The environment a process was started with; {} when it is gone or not ours to read."""
    try:
        raw = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return {}
    pairs = (entry.partition(b"=") for entry in raw.split(b"\0") if b"=" in entry)
    return {key.decode(errors="replace"): value.decode(errors="replace") for key, _, value in pairs}


def kill_exactly(pid: int, started: int, marker: tuple[str, str]) -> bool:
    """SIGKILL to ``pid`` only if it started at ``started`` and carries ``marker`` (variable, value) in its environment.

    A pidfd is opened first and checked after, so that a pid used again in between cannot be hit. True: signal sent.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if start_time(pid) != started or environment_of(pid).get(marker[0]) != marker[1]:
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
