"""The timers of one port: a dictionary of due times (ns) that knows the earliest without looking.

A boundary clock with two dozen ports is asked for its next deadline after every frame; a timer is set far less often.
"""

from __future__ import annotations

#: due when nothing is: later than any time
NEVER = 1 << 100
#: Pdelay_Req is due (delay_p2p.py); here for who changes its interval, because most ports have no such part
TIMER_PDELAY_REQ = "pdelay-req"


# looked up once: ``super()`` would cost as much as all the rest
_set, _delete = dict.__setitem__, dict.__delitem__


class Timers(dict[str, int]):
    """Changed by ``[name] = due``, ``del`` and ``clear`` only."""

    __slots__ = ("due",)

    def __init__(self) -> None:
        super().__init__()
        #: the earliest due time, ``NEVER`` when there is none
        self.due = NEVER

    def __setitem__(self, name: str, due: int) -> None:
        put_off = due > self.due and name in self
        _set(self, name, due)
        if put_off:
            # it may have been the earliest
            self.due = min(self.values())
        elif due < self.due:
            self.due = due

    def __delitem__(self, name: str) -> None:
        _delete(self, name)
        self.due = min(self.values(), default=NEVER)

    def clear(self) -> None:
        super().clear()
        self.due = NEVER
