"""The state decision event of one instance (IEEE 1588-2019 9.2.6.8, 9.3; not checked against the text).

All ports are looked at from one set of data, and changed together. What to do is decided by the
instance's BMCA variant (bmca.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.protocol.comparison import Candidate
from ptpstack.protocol.decision import Decision
from ptpstack.protocol.port import Port
from ptpstack.protocol.state_decision import GRANDMASTER_CODES, PortView, Recommendation
from ptpstack.protocol.states import ELECTING, PortEvent
from ptpstack.protocol.timers import NEVER
from ptpstack.timebase.units import log_interval_ns
from ptpstack.wire.types import PortIdentity

if TYPE_CHECKING:
    from ptpstack.protocol.instance import Instance

_EVENT_OF_CODE = {
    "M1": PortEvent.RECOMMEND_GRANDMASTER,
    "M2": PortEvent.RECOMMEND_GRANDMASTER,
    "M3": PortEvent.RECOMMEND_MASTER,
    "P1": PortEvent.RECOMMEND_PASSIVE,
    "P2": PortEvent.RECOMMEND_PASSIVE,
    "S1": PortEvent.RECOMMEND_SLAVE,
}


class Election:
    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        #: the newest outcome, for each port that takes part
        self.recommendations: list[Recommendation] = []
        #: when it is held again without a cause, ns
        self.due = NEVER
        #: what the newest one was held over, and the best master it found
        self._judged: tuple[Candidate, list[PortView]] | None = None
        self._ebest: Candidate | None = None

    def schedule(self, now: int) -> None:
        intervals = [p.ds.log_announce_interval for p in self._instance.ports if p.ds.port_state in ELECTING]
        self.due = now + log_interval_ns(min(intervals)) if intervals else NEVER

    def hold(self, now: int) -> None:
        instance = self._instance
        views = [self._view(port, now) for port in instance.ports if port.able]
        own = self._own_candidate()
        if (own, views) == self._judged:
            # what follows from the same data sets is the same, and done; most turns of the timer find nothing new
            self.schedule(now)
            return
        self._ebest, self.recommendations = instance.bmca.decide(own, views)
        self._judged = (own, views)
        new_parent = self._settle_parent(now)
        bests = {view.number: view.best for view in views}
        # who stops following goes first: never are there two ports in SLAVE
        for recommendation in sorted(self.recommendations, key=lambda r: r.code == "S1"):
            port = instance.ports[recommendation.port - 1]
            code = recommendation.code
            if not code:
                port.decision = recommendation.decision
                continue
            event = _EVENT_OF_CODE[code]
            if event is PortEvent.RECOMMEND_SLAVE and new_parent:
                event = PortEvent.RECOMMEND_NEW_PARENT
            elif event is PortEvent.RECOMMEND_PASSIVE:
                best = bests[port.number]
                port.announces.keeper = None if best is None else best.sender
            port.event(event, now, recommendation.decision)
        if instance.has_parent and instance.following_port is None:
            # the following port was lost, or is silent because our own reference is back: nobody's time is followed
            states = [p.state.name for p in instance.ports]
            instance.upstream.become_grandmaster(
                Decision("no-parent", "no port follows a master any longer", {"states": states})
            )
        self.schedule(now)

    def candidates(self, port: Port, now: int) -> list[Candidate]:
        """The data sets that compete on a port. None for a server-only port."""
        if port.ds.server_only or port.ds.port_state not in ELECTING:
            return []
        records = port.foreign.candidates(now, port.foreign_window_ns, _kept(port))
        return [port.candidate(r, now) for r in records]

    def best_of_port(self, port: Port, now: int) -> Candidate | None:
        """Erbest (9.3.2.3)."""
        return self._instance.bmca.best_of(self.candidates(port, now))

    def _view(self, port: Port, now: int) -> PortView:
        if not port.foreign:
            return PortView(port.number, port.ds.port_state, None)
        port.foreign.expire(now, port.foreign_window_ns, _kept(port))
        candidates = self.candidates(port, now)
        return PortView(port.number, port.ds.port_state, self._instance.bmca.best_of(candidates), tuple(candidates))

    def _own_candidate(self) -> Candidate:
        d = self._instance.data.default
        own = PortIdentity(d.clock_identity, 0)
        return Candidate(d.priority1, d.quality, d.priority2, d.clock_identity, 0, own, own, d.local_priority)

    def _settle_parent(self, now: int) -> bool:
        """Put the outcome into the data sets; True when a port begins to follow, or follows somebody else."""
        instance = self._instance
        slave = next((r for r in self.recommendations if r.code == "S1"), None)
        if slave is None:
            winner = next((r for r in self.recommendations if r.code in GRANDMASTER_CODES), None)
            if winner is not None:
                instance.upstream.become_grandmaster(winner.decision)
            return False
        assert self._ebest is not None
        port = instance.ports[slave.port - 1]
        record = port.foreign.get(self._ebest.sender)
        assert record is not None
        new_parent = port.parent != self._ebest.sender or not port.following
        address = record.address if new_parent else port.parent_address(record.address)
        instance.upstream.follow(record.announce, address, now, slave.decision, anew=new_parent)
        return new_parent


def _kept(port: Port) -> PortIdentity:
    """Whose record a port never forgets: its parent's, while it follows."""
    return port.parent if port.following else port.identity
