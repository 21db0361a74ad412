"""Being a good service: systemd notification and watchdog, and only the privileges that are needed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import socket
from collections.abc import Sequence

CAPABILITIES = {
    "CAP_NET_BIND_SERVICE": 10,  # UDP 319 and 320
    "CAP_NET_ADMIN": 12,  # SIOCSHWTSTAMP, SO_RCVBUFFORCE when a channel has to be opened again
    "CAP_NET_RAW": 13,  # packet sockets
    "CAP_SYS_TIME": 25,  # the system clock, PTP_ENABLE_PPS
}
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_CAP_VERSION_3 = 0x20080522


class PrivilegeError(OSError):
    """Privileges could not be changed: what and why."""


class Notifier:
    """systemd's notification socket; silent when there is none."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        usec = os.environ.get("WATCHDOG_USEC", "")
        self.watchdog_ns = int(usec) * 1000 // 2 if usec.isdigit() else 0
        self._sock: socket.socket | None = None
        if self._address:
            self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)

    def tell(self, *lines: str) -> None:
        """Such as ``READY=1``, ``STATUS=...``, ``WATCHDOG=1``, ``STOPPING=1``."""
        if self._sock is None:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError):
            self._sock.sendto("\n".join(lines).encode(), address)


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapData(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def check_user(user: str | None) -> None:
    """PrivilegeError when ``user`` is unknown or cannot be taken on: to be found out before anything else is done."""
    if user is None:
        return
    try:
        entry = pwd.getpwnam(user)
    except (KeyError, ValueError):
        raise PrivilegeError(f"[node] user: there is no user {user!r} on this machine") from None
    if os.geteuid() not in (0, entry.pw_uid):
        raise PrivilegeError(f"[node] user: only root can become {user!r}; start as root or as {user!r}")


def drop_privileges(user: str | None, hand_over: Sequence[str] = ()) -> str:
    """Keep only CAPABILITIES (those we have); become ``user`` when given. Returns a sentence for the log.

    ``hand_over`` are files made before (sockets) that ``user`` is to own: afterwards they could not be given.

    PrivilegeError when ``user`` is unknown or cannot be taken on.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    have = effective_capabilities()
    keep = sum(1 << bit for bit in CAPABILITIES.values()) & have
    check_user(user)
    if user is not None:
        entry = pwd.getpwnam(user)
        if os.geteuid() != entry.pw_uid:
            for path in hand_over:
                try:
                    os.chown(path, entry.pw_uid, entry.pw_gid)
                except OSError as error:
                    raise PrivilegeError(
                        f"[node] user: {path} cannot be given to {user!r}: {error.strerror}"
                    ) from error
            libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
            os.setgroups([])
            os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
            os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    header = _CapHeader(_CAP_VERSION_3, 0)
    data = (_CapData * 2)()
    data[0].effective = data[0].permitted = keep & 0xFFFFFFFF
    data[1].effective = data[1].permitted = keep >> 32
    if libc.capset(ctypes.byref(header), ctypes.byref(data)) != 0:
        raise PrivilegeError(f"capset: {os.strerror(ctypes.get_errno())}")
    names = [name for name, bit in CAPABILITIES.items() if keep >> bit & 1]
    who = user if user is not None else f"uid {os.geteuid()}"
    return f"running as {who} with {', '.join(names) or 'no capabilities'}"


def effective_capabilities() -> int:
    """CapEff of this process as a bit mask; 0 when it cannot be told."""
    with contextlib.suppress(OSError, ValueError), open("/proc/self/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16)
    return 0


def real_time_scheduling(priority: int) -> str:
    """SCHED_FIFO with ``priority`` (1..99); 0: leave it. Returns a sentence, also when it is not permitted."""
    if priority <= 0:
        return ""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError as error:
        return f"scheduling_priority {priority} not set: {error.strerror} (needs CAP_SYS_NICE)"
    return f"SCHED_FIFO priority {priority}"
