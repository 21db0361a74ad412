"""epoll, poll and select behind one face: which descriptors are readable, which have something in their error queue.

``wait(timeout_s)`` returns (errors, readable) as lists of descriptors; None waits for ever. A descriptor watched for
errors only is reported for its error queue (a transmit stamp) and for nothing else.

select() knows no POLLERR, yet sees the error queue: Linux counts POLLERR as readable, and with SO_SELECT_ERR_QUEUE as
exceptional too. Such a descriptor goes into both sets; it can receive nothing, so readable means its error queue.
"""

from __future__ import annotations

import math
import select
from contextlib import suppress
from typing import Protocol

Ready = tuple[list[int], list[int]]

KINDS = ("epoll", "poll", "select")


class Poller(Protocol):
    kind: str

    def add(self, fd: int, *, errors_only: bool) -> None: ...

    def remove(self, fd: int) -> None: ...

    def wait(self, timeout_s: float | None) -> Ready: ...

    def close(self) -> None: ...


class EpollPoller:
    kind = "epoll"

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._errors_only: set[int] = set()

    def add(self, fd: int, *, errors_only: bool) -> None:
        # EPOLLERR is reported whether asked for or not.
        self._epoll.register(fd, 0 if errors_only else select.EPOLLIN)
        if errors_only:
            self._errors_only.add(fd)

    def remove(self, fd: int) -> None:
        self._errors_only.discard(fd)
        with suppress(OSError):  # closing a descriptor removes it too
            self._epoll.unregister(fd)

    def wait(self, timeout_s: float | None) -> Ready:
        errors: list[int] = []
        readable: list[int] = []
        for fd, _ in self._epoll.poll(timeout_s):
            (errors if fd in self._errors_only else readable).append(fd)
        return errors, readable

    def close(self) -> None:
        self._epoll.close()


class PollPoller:
    kind = "poll"

    def __init__(self) -> None:
        self._poll = select.poll()
        self._errors_only: set[int] = set()

    def add(self, fd: int, *, errors_only: bool) -> None:
        self._poll.register(fd, 0 if errors_only else select.POLLIN)
        if errors_only:
            self._errors_only.add(fd)

    def remove(self, fd: int) -> None:
        self._errors_only.discard(fd)
        self._poll.unregister(fd)

    def wait(self, timeout_s: float | None) -> Ready:
        errors: list[int] = []
        readable: list[int] = []
        for fd, _ in self._poll.poll(None if timeout_s is None else math.ceil(timeout_s * 1000)):
            (errors if fd in self._errors_only else readable).append(fd)
        return errors, readable

    def close(self) -> None:
        pass


class SelectPoller:
    kind = "select"

    def __init__(self) -> None:
        self._readers: set[int] = set()
        self._errors_only: set[int] = set()

    def add(self, fd: int, *, errors_only: bool) -> None:
        if fd >= 1024:
            raise ValueError(f"select() cannot watch descriptor {fd} (1023 is the highest); use epoll or poll")
        (self._errors_only if errors_only else self._readers).add(fd)

    def remove(self, fd: int) -> None:
        self._readers.discard(fd)
        self._errors_only.discard(fd)

    def wait(self, timeout_s: float | None) -> Ready:
        watched = self._errors_only
        readable, _, exceptional = select.select([*self._readers, *watched], [], [*watched], timeout_s)
        errors = {fd for fd in (*readable, *exceptional) if fd in watched}
        return list(errors), [fd for fd in readable if fd not in watched]

    def close(self) -> None:
        pass


def make_poller(kind: str) -> Poller:
    """``epoll``, ``poll``, ``select``, or ``auto``: the first of these that the system has."""
    if kind in ("auto", "epoll") and hasattr(select, "epoll"):
        return EpollPoller()
    if kind in ("auto", "poll") and hasattr(select, "poll"):
        return PollPoller()
    if kind in ("auto", "select"):
        return SelectPoller()
    if kind in KINDS:
        raise ValueError(f"this system has no {kind}(); use auto")
    raise ValueError(f"the kind of loop is auto, {', '.join(KINDS)}, not {kind!r}")
