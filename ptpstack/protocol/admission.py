"""Whom a port listens to, and how much of it: source rules, and limits on what anybody may send.

1. Source rules come first, before a frame is decoded: ``deny``, then, where there is an ``allow``, only who is in it. A
   source is a transport address, a network of them, or the clockIdentity in the header (which anybody may write there:
   only AUTHENTICATION proves one).
2. What makes a port work or answer is limited by token buckets: integers over ``now``, two seconds' worth in store.
   They come after the verification, so that what is forged takes nothing from who is not.
3. A sender of Announce has a bucket of its own once it is known; those who are not share one. Sync and Follow_Up are
   not limited: nobody answers them, and those of others than the parent are dropped at once.
"""

from __future__ import annotations

import re
from collections import Counter
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Union

from ptpstack.protocol.foreign import ForeignMasters
from ptpstack.protocol.options import PortOptions
from ptpstack.timebase.units import NS_PER_S
from ptpstack.wire.messages import Announce, DelayReq, Management, Message, PdelayReq, Signaling
from ptpstack.wire.types import parse_clock_identity

#: of the refill, ns: what may come at once
STORE_NS = 2 * NS_PER_S
#: Addresses whose verdict is remembered; more at a time and they are worked out again.
MAX_ADDRESSES = 1024
#: sourcePortIdentity.clockIdentity in the header (13.3.1)
_IDENTITY = slice(20, 28)
_PAIRS = re.compile(r"[0-9a-f]{2}(?:[:-][0-9a-f]{2})+")

#: a network, a MAC address as text, a clockIdentity
Source = Union[IPv4Network, IPv6Network, str, bytes]


def parse_source(text: str) -> Source:
    """Of ``192.0.2.7``, ``192.0.2.0/24``, ``fe80::/10``, ``02:00:00:00:00:01``, ``001b21.fffe.aabbcc``. ValueError."""
    name = text.strip().lower()
    if _PAIRS.fullmatch(name):
        octets = bytes.fromhex(name.replace(":", "").replace("-", ""))
        if len(octets) == 6:
            return octets.hex(":")
        if len(octets) == 8:
            return octets
    try:
        return ip_network(name, strict=False)
    except ValueError:
        pass
    try:
        return parse_clock_identity(name)
    except ValueError:
        raise ValueError("give an address, a network such as 192.0.2.0/24, a MAC or a clockIdentity") from None


class _Sources:
    def __init__(self, names: tuple[str, ...]) -> None:
        sources = [parse_source(name) for name in names]
        self.identities = frozenset(s for s in sources if isinstance(s, bytes))
        self._macs = frozenset(s for s in sources if isinstance(s, str))
        self._networks = [s for s in sources if not isinstance(s, (bytes, str))]

    def has_address(self, address: str) -> bool:
        if address.lower() in self._macs:
            return True
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return any(found in network for network in self._networks if network.version == found.version)


class SourceRules:
    def __init__(self, allow: tuple[str, ...], deny: tuple[str, ...]) -> None:
        self._allow = _Sources(allow) if allow else None
        self._deny = _Sources(deny)
        #: address -> (denied, allowed)
        self._known: dict[str, tuple[bool, bool]] = {}

    def permit(self, octets: bytes, address: str) -> bool:
        verdict = self._known.get(address)
        if verdict is None:
            if len(self._known) >= MAX_ADDRESSES:
                self._known.clear()
            denied = self._deny.has_address(address)
            verdict = (denied, self._allow is None or self._allow.has_address(address))
            self._known[address] = verdict
        denied, allowed = verdict
        identity = octets[_IDENTITY]
        if denied or identity in self._deny.identities:
            return False
        return allowed or (self._allow is not None and identity in self._allow.identities)


class Bucket:
    """``rate`` frames a second, two seconds' worth at once (one frame at least)."""

    __slots__ = ("_at_ns", "_cost_ns", "_level_ns", "_store_ns")

    def __init__(self, rate: int, now: int) -> None:
        self._cost_ns = NS_PER_S // rate
        self._store_ns = max(STORE_NS, self._cost_ns)
        self._level_ns = self._store_ns
        self._at_ns = now

    def take(self, now: int) -> bool:
        level = min(self._store_ns, self._level_ns + now - self._at_ns)
        self._at_ns = now
        if level < self._cost_ns:
            self._level_ns = level
            return False
        self._level_ns = level - self._cost_ns
        return True


#: message -> (what it is called in counters, the limit's name in PortOptions)
_LIMITED: dict[type[Message], tuple[str, str]] = {
    DelayReq: ("drop-limit-delay-req", "limit_delay_req"),
    PdelayReq: ("drop-limit-delay-req", "limit_delay_req"),
    Announce: ("drop-limit-announce", "limit_announce"),
    Signaling: ("drop-limit-signaling", "limit_signaling"),
    Management: ("drop-limit-management", "limit_management"),
}


class Admission:
    def __init__(self, options: PortOptions, foreign: ForeignMasters, counters: Counter[str]) -> None:
        """ValueError for a source that is none."""
        self._foreign = foreign
        self._counters = counters
        self._buckets: dict[str, Bucket] = {}
        self.change(options)

    def change(self, options: PortOptions) -> None:
        """Other rules and limits from now on."""
        self._options = options
        self._rules = (
            SourceRules(tuple(options.allow_sources), tuple(options.deny_sources))
            if options.allow_sources or options.deny_sources
            else None
        )
        self._buckets.clear()
        for record in self._foreign:
            record.bucket = None

    @property
    def selective(self) -> bool:
        """Whether a Delay_Req has to be looked at before it is answered."""
        return self._rules is not None or self._options.limit_delay_req > 0

    def permits(self, octets: bytes, address: str) -> bool:
        """What the source rules say of a frame (its whole header); counted when they refuse it."""
        if self._rules is None or self._rules.permit(octets, address):
            return True
        self._counters["drop-source"] += 1
        return False

    def within_limits(self, message: Message, now: int) -> bool:
        """Whether there is room for one more of its kind; counted when there is none."""
        limited = _LIMITED.get(type(message))
        if limited is None:
            return True
        counter, name = limited
        rate: int = getattr(self._options, name)
        if rate == 0:
            return True
        record = self._foreign.get(message.source) if isinstance(message, Announce) else None
        bucket = self._buckets.get(name) if record is None else record.bucket
        if bucket is None:
            bucket = Bucket(rate, now)
            if record is None:
                self._buckets[name] = bucket
            else:
                record.bucket = bucket
        if bucket.take(now):
            return True
        self._counters[counter] += 1
        return False

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        options = self._options
        return {
            "allow_sources": list(options.allow_sources),
            "deny_sources": list(options.deny_sources),
            "limits": {name: getattr(options, name) for name in dict.fromkeys(name for _, name in _LIMITED.values())},
        }
