"""The Announces that a port hears, and their silence (IEEE 1588-2019 9.3.2.5, 9.2.6.12; not checked against the text).

1. Parts that watch Announces are told of every one; the election only of those that may take part in it.
2. The announce receipt timeout runs in LISTENING for anybody, in PASSIVE and while following for one master.
3. A master that has fallen silent is forgotten. When somebody else is qualified he is elected at once, and we serve no
   moment in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.protocol.announce import refusal_of
from ptpstack.protocol.decision import Decision
from ptpstack.protocol.part import Part
from ptpstack.protocol.states import FOLLOWING, PortEvent
from ptpstack.wire.messages import Announce, Message
from ptpstack.wire.types import PortIdentity, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

#: The random part of the announce receipt timeout. 9.2.6.12 allows up to one interval; three quarters leave room for
#: the two Announces that a successor needs to qualify, so that a take-over fits into timeout + 1 intervals.
TIMEOUT_SPREAD = 0.75

TIMER_RECEIPT = "announce-receipt"

_WAITING = (PortState.LISTENING, PortState.PASSIVE, *FOLLOWING)


class AnnounceReceipt(Part):
    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self.handlers = {Announce: self._on_announce}
        self.timers = {TIMER_RECEIPT: self._expired}
        #: whose Announce a PASSIVE port waits for
        self.keeper: PortIdentity | None = None

    def entered(self, state: PortState, now: int) -> None:
        if state in _WAITING:
            self.arm(now)
        if state is PortState.LISTENING and not self.port.options.listen_first:
            self.port.timers[TIMER_RECEIPT] = now

    def arm(self, now: int) -> None:
        port = self.port
        spread = port.rng.random() * TIMEOUT_SPREAD
        port.timers[TIMER_RECEIPT] = now + int((port.ds.announce_receipt_timeout + spread) * port.heard_interval_ns)

    def disarm(self) -> None:
        if TIMER_RECEIPT in self.port.timers:
            del self.port.timers[TIMER_RECEIPT]

    def rearm(self, now: int) -> None:
        """The interval or the timeout is another from now on."""
        if TIMER_RECEIPT in self.port.timers:
            self.arm(now)

    # ---- heard ------------------------------------------------------------------------------------------------

    def _on_announce(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        assert isinstance(message, Announce)
        self.heard(message, address, now)

    def heard(self, announce: Announce, address: str, now: int) -> None:
        """An Announce, or what stands for one."""
        port = self.port
        for watch in port.announce_watchers:
            watch(announce, now)
        refusal = self._refusal_of(announce)
        if refusal:
            port.counters[refusal] += 1
            return
        instance = port.instance
        parent = port.parent
        keep = parent if port.following else port.identity
        news = port.foreign.heard(announce, address, now, port.foreign_window_ns, keep)
        if news == "refused":
            port.counters["drop-foreign-master-capacity"] += 1
            return
        if port.following and announce.source == parent:
            self.arm(now)
            instance.upstream.follow(announce, port.parent_address(address), now)
            if news == "changed":
                # 9.4: a change upstream is told downstream at once, not at the next turn
                for other in instance.ports:
                    other.announce_changed(now)
        elif port.state is PortState.PASSIVE:
            best = instance.election.best_of_port(port, now)
            if best is not None and best.sender == announce.source:
                self.keeper = announce.source
                self.arm(now)
        if news in ("qualified", "changed"):
            instance.elect(now)

    def _refusal_of(self, announce: Announce) -> str:
        """Why it takes no part in the election (9.3.2.5): the name of a counter, or ""."""
        port, instance = self.port, self.port.instance
        if port.ds.server_only:
            return "drop-announce-server-only"
        if port.options.acceptable_masters_only and port.masters.get(announce.source) is None:
            return "drop-announce-not-acceptable"
        refusal = refusal_of(announce, instance.clock_identity, instance.data.default.max_steps_removed)
        return refusal or next((why for option in instance.announce_options if (why := option.refuses(announce))), "")

    # ---- silence ----------------------------------------------------------------------------------------------

    def _expired(self, now: int, due: int) -> None:
        self.port.counters["announce-receipt-timeout"] += 1
        self.lost(now)

    def lost(self, now: int, decision: Decision | None = None) -> None:
        """The master that kept this port where it is has fallen silent, or is lost: ``decision`` says how."""
        port, instance = self.port, self.port.instance
        election = instance.election
        if port.state is PortState.LISTENING and election.candidates(port, now):
            # not silent at all: somebody is heard who has not won
            self.arm(now)
            instance.elect(now)
            return
        silent = None
        if port.following:
            silent = port.parent
        elif port.state is PortState.PASSIVE:
            silent = self.keeper
        if silent is not None:
            port.foreign.forget(silent)
        decision = decision or _silence(port, silent)
        heard_elsewhere = port.following and any(election.candidates(p, now) for p in instance.ports)
        heard_here = port.state is PortState.PASSIVE and election.candidates(port, now)
        if heard_elsewhere or heard_here:
            port.decision = decision
            self.arm(now)
            instance.elect(now)
            return
        if not any(p is not port and p.following for p in instance.ports):
            instance.upstream.become_grandmaster(decision)
        port.event(PortEvent.ANNOUNCE_RECEIPT_TIMEOUT, now, decision)
        if port.state is PortState.LISTENING:
            self.arm(now)
            if silent is not None:
                port.receiving.went_mute(silent, now)
        instance.elect(now)


def _silence(port: Port, silent: PortIdentity | None) -> Decision:
    """Why an announce receipt timeout has come."""
    if port.state is PortState.LISTENING and not port.options.listen_first:
        return Decision("announce-timeout", "a grandmaster's port does not wait for others before it serves")
    intervals = port.ds.announce_receipt_timeout
    return Decision(
        "announce-timeout",
        f"no Announce for {intervals} to {intervals + 1} announce intervals" + (f" from {silent}" if silent else ""),
        {"announceReceiptTimeout": intervals, "logAnnounceInterval": port.ds.log_announce_interval},
        (str(silent),) if silent else (),
        "an Announce of that or another master",
    )
