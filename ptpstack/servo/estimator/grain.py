"""The grain of a clock's time stamps, seen from the stamps themselves.

The greatest common divisor of the differences between stamps. Stamps that come at regular moments (a master's Sync on
the dot) would show the interval instead: enough different intervals have to be seen, and a divisor above a limit is no
grain.
"""

from __future__ import annotations

from math import gcd

_MOST_NS = 10_000
_ENOUGH = 12
#: Nothing finer than this is looked for: 1 ns.
_FINEST_SNS = 1 << 16


class Grain:
    """Feed it stamps of one clock in order; ``skip`` when the clock was stepped in between."""

    __slots__ = ("_gcd", "_last", "_seen", "_settled", "ns", "ns2")

    def __init__(self) -> None:
        #: ns, and its square; 0 while it is not known
        self.ns = self.ns2 = 0.0
        self._last: int | None = None
        self._gcd = 0
        self._seen: set[int] = set()
        #: as fine as it is looked for: it stays
        self._settled = False

    def add(self, stamp_sns: int) -> None:
        if self._settled:
            return
        last, self._last = self._last, stamp_sns
        if last is None:
            return
        difference = stamp_sns - last
        if difference <= 0:
            return
        self._gcd = gcd(self._gcd, difference)
        if len(self._seen) < _ENOUGH:
            self._seen.add(difference)
        if len(self._seen) >= _ENOUGH:
            grain = self._gcd / 65536.0
            self.ns = grain if grain <= _MOST_NS else 0.0
            self.ns2 = self.ns * self.ns
            self._settled = self._gcd <= _FINEST_SNS

    def skip(self) -> None:
        self._last = None
