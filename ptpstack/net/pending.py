"""Transmit stamps on their way: from the kernel's OPT_ID to the engine's token. Knows no socket and no clock.

Rules:

1. A stamp is matched by id, never by order: NICs with several queues report out of order, and lose some.
2. Every token is answered exactly once: by its stamp, or by a missing one and the reason.
3. In doubt, no stamp. A Follow_Up with another frame's stamp is worse than no Follow_Up.

The kernel numbers stamped sends from 0. A send that failed may or may not have used up a number, depending on how far
it came. So after such a failure the number of the following sends is known only within ``_slack``; each id that comes
back narrows it: none of them can lie below the first or above the last send since. One stamp settles it as long as
sends are answered one at a time, or when all failed sends used up a number, which is what full queues and packet
filters do. What is not settled so is settled by the first send after a calm of ``CALM`` time-outs.
"""

from __future__ import annotations

import errno

from ptpstack.net.channel import TransmitStamp

_MASK = 0xFFFFFFFF

#: Failures in which the kernel certainly gave up before it numbered the frame: too long, no route, no such address.
#: All others are doubtful (a packet filter's EPERM and a full queue's ENOBUFS come after the numbering).
UNNUMBERED = frozenset({errno.EMSGSIZE, errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EBADF})


#: After this many time-outs without a send no stamp is believed to be still on its way.
CALM = 5


class PendingStamps:
    """``timeout_ns``: how long a stamp may take. ``capacity``: sends that may wait at once, the oldest gives way."""

    def __init__(self, timeout_ns: int, capacity: int = 8192) -> None:
        self.timeout_ns = timeout_ns
        self.capacity = capacity
        self.missing = 0
        self.late = 0
        #: ids that came back while it was uncertain whose they were
        self.ambiguous = 0
        #: id (full, not wrapped) -> (token, deadline ns); insertion order is deadline order
        self._waiting: dict[int, tuple[int, int]] = {}
        self._lost: list[TransmitStamp] = []
        self._next = 0
        self._slack = 0
        self._first_in_doubt = 0
        #: ids below this may belong to sends before the last failure, and prove nothing
        self._foreign_below = 0
        self._last_sent_ns = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def sent(self, token: int | None, now_ns: int) -> None:
        """A stamped send succeeded; ``token`` None: it used up a number, and nobody waits for its stamp."""
        waiting = self._waiting
        if self._slack and now_ns - self._last_sent_ns >= CALM * self.timeout_ns:
            self._give_up_doubtful()
            self._first_in_doubt = self._foreign_below = self._next
        self._last_sent_ns = now_ns
        if token is not None:
            if len(waiting) >= self.capacity:
                oldest = next(iter(waiting))
                self._lose(waiting.pop(oldest)[0], "overflow")
            waiting[self._next] = (token, now_ns + self.timeout_ns)
        self._next += 1

    def failed(self, token: int | None, error: int) -> None:
        """A stamped send failed with ``error`` (errno): nothing will come for ``token``."""
        if token is not None:
            self._lose(token, "unsent")
        if error in UNNUMBERED:
            return
        if not self._slack:
            self._foreign_below = self._next
        elif self._next > self._first_in_doubt:
            # A second failure with sends between: the numbers of those between cannot be settled any more, and their
            # stamps may come under what could be the numbers of the next.
            self._give_up_doubtful()
            self._foreign_below = self._next + self._slack
        self._slack += 1
        self._first_in_doubt = self._next

    def stamped(self, wrapped: int, stamp_ns: int) -> TransmitStamp | None:
        """The kernel reported ``stamp_ns`` under OPT_ID ``wrapped`` (32 bit). None when nobody waits for it."""
        # The id is the one nearest to the next: half the number space either side.
        number = self._next - ((self._next - wrapped + 0x80000000) & _MASK) + 0x80000000
        if self._slack and number >= self._first_in_doubt and not self._settle(number):
            self.ambiguous += 1
            return None
        entry = self._waiting.pop(number, None)
        if entry is None:
            self.late += 1
            return None
        return TransmitStamp(entry[0], stamp_ns)

    def overdue(self, now_ns: int) -> list[TransmitStamp]:
        """What will not come any more, once each: timed out, pushed out, or never sent."""
        waiting = self._waiting
        while waiting:
            number, (token, deadline_ns) = next(iter(waiting.items()))
            if deadline_ns > now_ns:
                break
            del waiting[number]
            self._lose(token, "timeout")
        if not self._lost:
            return []
        lost, self._lost = self._lost, []
        return lost

    def deadline_ns(self) -> int | None:
        """When ``overdue`` has something to say next; None: nothing is waiting."""
        if self._lost:
            return 0
        for _, deadline_ns in self._waiting.values():
            return deadline_ns
        return None

    def clear(self) -> None:
        """The socket is gone: nothing will come for anybody."""
        self._waiting.clear()
        self._lost.clear()

    def _give_up_doubtful(self) -> None:
        for number in [n for n in self._waiting if n >= self._first_in_doubt]:
            self._lose(self._waiting.pop(number)[0], "resync")

    def _lose(self, token: int, why: str) -> None:
        self.missing += 1
        self._lost.append(TransmitStamp(token, None, why))

    def _settle(self, number: int) -> bool:
        """Narrow the doubt by an id seen; True when it is gone."""
        if self._next == self._first_in_doubt or number < self._foreign_below:
            return False  # of a send before the last failure, or perhaps
        most = min(self._slack, number - self._first_in_doubt)
        least = max(0, number - (self._next - 1))
        if least > most:
            return False  # not an id of ours at all
        if least:
            first = self._first_in_doubt
            self._waiting = {n + least if n >= first else n: entry for n, entry in self._waiting.items()}
            self._next += least
            self._first_in_doubt += least
            self._foreign_below = max(self._foreign_below, self._first_in_doubt)
        self._slack = most - least
        return self._slack == 0
