"""Network namespaces for tests: without names, kept alive only by an open descriptor of this process.

So nothing is left behind when a test run is killed: the kernel closes the descriptors, and a namespace without
descriptors, processes or sockets goes away with its interfaces.

    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb", "10.0.0.1/24", "10.0.0.2/24")
        with ns["a"].entered():          # sockets opened here belong to namespace a, also afterwards
            channel = open_channel("va", "udp4")
        ns["b"].run("ptp4l", ...)        # a command inside
        ns["a"].call(function)           # a function inside a forked child; its result comes back

Root, or a user namespace where the system allows one; else tests skip and say why.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import itertools
import os
import pickle
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_indices = itertools.count(1000)
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def _setns(fd: int) -> None:
    _check(_libc.setns(fd, CLONE_NEWNET), "setns")


def die_with_parent() -> None:
    """For a child process, right after fork: end when the thread that made it ends, however it ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Namespace:
    """One network namespace. Loopback is up."""

    def __init__(self, name: str) -> None:
        self.name = name
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _unshare(CLONE_NEWNET)
            self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            _setns(home)
            os.close(home)
        self.ip("link set lo up")

    @property
    def path(self) -> str:
        """Valid while this process lives; for `nsenter --net=` and `ip link ... netns`."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """This thread is inside; sockets made here stay in the namespace."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(self.fd)
            try:
                yield
            finally:
                _setns(home)
        finally:
            os.close(home)

    def popen(self, *command: str, sysfs: bool = False, **arguments: Any) -> subprocess.Popen[Any]:
        """Start a command inside; it dies with this process. ``sysfs``: with this namespace's /sys."""
        if sysfs:
            command = ("unshare", "--mount", "sh", "-c", 'mount -t sysfs sys /sys && exec "$@"', "sh", *command)
        with self.entered():
            return subprocess.Popen(command, preexec_fn=die_with_parent, **arguments)

    def run(self, *command: str, sysfs: bool = False, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command inside, to its end (at most 60 s)."""
        with self.popen(*command, sysfs=sysfs, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                out, err = process.communicate(timeout=60)
            except BaseException:
                process.kill()
                raise
        if check and process.returncode:
            raise RuntimeError(f"in namespace {self.name}: {' '.join(command)}: {err.strip() or process.returncode}")
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def ip(self, arguments: str) -> str:
        """`ip ARGUMENTS` inside."""
        return self.run("ip", *arguments.split()).stdout

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """``function(*arguments)`` in a forked child inside the namespace; its result (or exception) comes back."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                die_with_parent()
                os.close(reader)
                _setns(self.fd)
                try:
                    answer = (True, function(*arguments))
                except BaseException as error:
                    answer = (False, error)
                with os.fdopen(writer, "wb") as stream:
                    pickle.dump(answer, stream)
            finally:
                os._exit(0)
        os.close(writer)
        try:
            with os.fdopen(reader, "rb") as stream:
                octets = stream.read()
        finally:
            os.waitpid(child, 0)
        if not octets:
            raise RuntimeError(f"the child in namespace {self.name} ended without an answer")
        good, value = pickle.loads(octets)
        if not good:
            raise value
        return value

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def veth(
    a: Namespace, name_a: str, b: Namespace, name_b: str, address_a: str = "", address_b: str = "", *, wait: bool = True
) -> None:
    """A virtual cable from ``name_a`` in ``a`` to ``name_b`` in ``b``, up, with addresses such as 10.0.0.1/24.

    ``wait`` False: do not wait for the link (the kernel lets a second one within a second come up only after it).
    """
    # Ends with equal indices would not count as a cable for the kernel's link watch, which then takes up to a second.
    index = next(_indices)
    a.ip(f"link add name {name_a} index {index} type veth peer name {name_b} netns {b.path}")
    for namespace, name, address in ((a, name_a, address_a), (b, name_b, address_b)):
        # Neighbour discovery and its like would only disturb what is counted.
        namespace.ip(f"link set dev {name} addrgenmode none")
        if address:
            namespace.ip(f"address add {address} dev {name}")
        namespace.ip(f"link set dev {name} up")
    if not wait:
        return
    # Until the kernel has noticed the carrier, what is sent is lost.
    end = time.monotonic() + 5
    while not (_running(a, name_a) and _running(b, name_b)):
        if time.monotonic() > end:
            raise RuntimeError(f"{name_a} and {name_b} did not come up within 5 s")
        time.sleep(0.002)


def _running(namespace: Namespace, name: str) -> bool:
    with namespace.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        answer = fcntl.ioctl(sock.fileno(), 0x8913, struct.pack("16s24x", name.encode()))  # SIOCGIFFLAGS
    return bool(struct.unpack_from("H", answer, 16)[0] & 0x40)  # IFF_RUNNING


_refusal: str | None = None
_asked = False


def unavailable() -> str | None:
    """Why there can be no namespaces here; None when there can."""
    global _refusal, _asked
    if not _asked:
        _asked = True
        try:
            if os.geteuid() != 0:
                _become_root_of_a_user_namespace()
            Namespace("probe").close()
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            _refusal = f"no network namespaces: {error} (run as root, or allow user namespaces)"
    return _refusal


def _become_root_of_a_user_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    # EINVAL when this process has several threads. The network too: only a namespace of ours can be come back to.
    _unshare(CLONE_NEWUSER | CLONE_NEWNET)
    for file, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{file}", "w") as stream:
            stream.write(text)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


@contextlib.contextmanager
def namespaces(*names: str) -> Iterator[dict[str, Namespace]]:
    """Fresh namespaces by name; skips the test when there can be none."""
    reason = unavailable()
    if reason is not None:
        pytest.skip(reason)
    made: dict[str, Namespace] = {}
    try:
        for name in names:
            made[name] = Namespace(name)
        yield made
    finally:
        for namespace in made.values():
            namespace.close()
