"""The BMCA of IEEE 802.1AS (10.3): priority vectors.

1. One comparison, number by number, lower wins: priority1, clockClass, clockAccuracy, variance, priority2, identity of
   the grandmaster, stepsRemoved, sourcePortIdentity, number of the receiving port.
2. The first Announce counts; who hears nothing better serves at once. No clockClass forbids to follow.
3. A port is passive when it hears better than what it would announce itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ptpstack.protocol.comparison import Candidate
from ptpstack.protocol.decision import Decision
from ptpstack.protocol.options import InstanceOptions, PortOptions
from ptpstack.protocol.state_decision import NOT_DECIDED, PortView, Recommendation, inputs_of
from ptpstack.protocol.states import CLIENT_ONLY, FULL, SERVER_ONLY, StateTable
from ptpstack.wire.types import PortIdentity

_STEPS = (
    *("priority1", "clockClass", "clockAccuracy", "offsetScaledLogVariance", "priority2"),
    *("grandmasterIdentity", "stepsRemoved", "sourcePortIdentity", "portNumber"),
)


class Vector(NamedTuple):
    priority1: int
    clock_class: int
    clock_accuracy: int
    variance: int
    priority2: int
    grandmaster: bytes
    steps_removed: int
    source: PortIdentity
    port_number: int


def vector(candidate: Candidate, further: int = 0) -> Vector:
    """``further``: steps to add."""
    quality = candidate.quality
    return Vector(
        candidate.priority1,
        quality.clock_class,
        quality.clock_accuracy,
        quality.offset_scaled_log_variance,
        candidate.priority2,
        candidate.grandmaster,
        candidate.steps_removed + further,
        candidate.sender,
        candidate.receiver.port_number,
    )


def step_between(a: Vector, b: Vector) -> str:
    """Where two vectors part."""
    return next((name for name, x, y in zip(_STEPS, a, b, strict=True) if x != y), "nothing")


class PriorityVectors:
    threshold = 1

    def __init__(self, options: InstanceOptions) -> None:
        self._client_only = options.client_only

    def table(self, port: PortOptions) -> StateTable:
        return CLIENT_ONLY if self._client_only else SERVER_ONLY if port.server_only else FULL

    def best_of(self, candidates: Sequence[Candidate]) -> Candidate | None:
        return min(candidates, key=vector, default=None)

    def decide(self, own: Candidate, ports: Sequence[PortView]) -> tuple[Candidate | None, list[Recommendation]]:
        ebest = self.best_of([p.best for p in ports if p.best is not None])
        return ebest, [self._decide_port(own, p, ebest) for p in ports if p.state not in NOT_DECIDED]

    def _decide_port(self, own: Candidate, port: PortView, ebest: Candidate | None) -> Recommendation:
        def answer(code: str, reason: str, lost: tuple[str, ...], would_change: str) -> Recommendation:
            decision = Decision(code, reason, inputs_of(own, port, ebest), lost, would_change)
            return Recommendation(port.number, code, decision)

        if ebest is None:
            return answer("M2", "nobody else announces a grandmaster", (), "an Announce of a better one")
        mine, best = vector(own), vector(ebest)
        step = step_between(mine, best)
        if mine < best:
            reason = f"our own clock is better than grandmaster {ebest.label}: {step}"
            return answer("M2", reason, (f"grandmaster {ebest.label}, at {step}",), f"a lower {step} there")
        if ebest.receiver.port_number == port.number:
            reason = f"the best grandmaster, {ebest.label}, is heard on this port; it is better than ours: {step}"
            return answer("S1", reason, (f"our own clock, at {step}",), "a better one; or that one falling silent")
        ours = vector(ebest, 1)._replace(source=PortIdentity(own.grandmaster, port.number), port_number=port.number)
        if port.best is not None and vector(port.best) < ours:
            step = step_between(vector(port.best), ours)
            reason = f"what is heard here is better than what this port would announce: {step}"
            return answer("P2", reason, (f"what this port would announce, at {step}",), "the other one falling silent")
        reason = f"grandmaster {ebest.label} is heard on port {ebest.receiver.port_number}: its time is handed on here"
        return answer("M3", reason, (), "a better Announce on this port")
