"""Who may change things: the read-write local socket, and over the network who is listed. Everybody may read.

A transport address can be forged, so a list of writers is for networks where strangers cannot send.
"""

from __future__ import annotations

from collections.abc import Callable

from ptpstack.protocol.management.table import READ_WRITE, Origin
from ptpstack.timebase.units import NS_PER_S

#: Requests that the network may have answered: so many at once, and per second.
BURST = 200
RATE = 100


def writer_rule(writers: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether an address is among ``writers``. ValueError when one of them cannot be understood."""
    if not writers:
        return lambda address: False
    import ipaddress  # costs milliseconds, and few configurations name writers

    exact = {writer.lower() for writer in writers if "/" not in writer}
    networks = [ipaddress.ip_network(writer) for writer in writers if "/" in writer]

    def allowed(address: str) -> bool:
        address = address.partition("%")[0].lower()
        if address in exact:
            return True
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in networks)

    return allowed


class Access:
    def __init__(self, writers: tuple[str, ...]) -> None:
        self._may_write = writer_rule(writers)

    def may_write(self, origin: Origin) -> bool:
        return origin.socket == READ_WRITE if origin.port == 0 else self._may_write(origin.address)


class Bucket:
    """A rate limit: ``BURST`` at once, ``RATE`` per second in the long run."""

    def __init__(self) -> None:
        self._level_ns = 0
        self._at_ns: int | None = None

    def take(self, now: int) -> bool:
        """False: too many."""
        if self._at_ns is not None:
            self._level_ns = max(0, self._level_ns - (now - self._at_ns))
        self._at_ns = now
        if self._level_ns > (BURST - 1) * NS_PER_S // RATE:
            return False
        self._level_ns += NS_PER_S // RATE
        return True
