"""Data set comparison (IEEE 1588-2019 9.3.4, figures 34 and 35; not checked against the text).

Lower wins everywhere. The answer says which step decided, because that is the first thing anyone asks of a BMCA.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

from ptpstack.wire.types import ClockIdentity, ClockQuality, PortIdentity, format_clock_identity


class Standing(IntEnum):
    """How a master stands with the port that hears it; of weight in ITU-T G.8265.1 only."""

    FOLLOWED = 0
    AVAILABLE = 1
    #: was lost, is back, and its wait-to-restore time is not over
    RESTORING = 2


class Candidate(NamedTuple):
    """One side of a comparison: D0, or an Announce as received on a port."""

    priority1: int
    quality: ClockQuality
    priority2: int
    grandmaster: ClockIdentity
    steps_removed: int
    sender: PortIdentity
    receiver: PortIdentity
    #: localPriority (ITU-T G.8275.1); of no weight in the default comparison
    local_priority: int = 128
    standing: Standing = Standing.AVAILABLE

    @property
    def label(self) -> str:
        return format_clock_identity(self.grandmaster)


class Rank(IntEnum):
    """Outcome for A; only the sign matters for ranking."""

    B_BETTER = -2
    B_BETTER_BY_TOPOLOGY = -1
    SAME = 0
    A_BETTER_BY_TOPOLOGY = 1
    A_BETTER = 2


class Comparison(NamedTuple):
    rank: Rank
    #: the step that decided, such as ``clockClass``
    step: str
    a_value: object
    b_value: object

    @property
    def a_better(self) -> bool:
        return self.rank > 0

    @property
    def by_topology(self) -> bool:
        return self.rank in (Rank.A_BETTER_BY_TOPOLOGY, Rank.B_BETTER_BY_TOPOLOGY)

    def sentence(self, a: str, b: str) -> str:
        if self.rank == Rank.SAME:
            return f"{a} and {b} are the same ({self.step})"
        winner, loser = (a, b) if self.a_better else (b, a)
        high, low = (self.a_value, self.b_value) if self.a_better else (self.b_value, self.a_value)
        topology = " by topology" if self.by_topology else ""
        return f"{winner} is better{topology} than {loser}: {self.step} {_show(high)} against {_show(low)}"


def _show(value: object) -> str:
    if isinstance(value, PortIdentity):
        return str(value)
    if isinstance(value, bytes):
        return format_clock_identity(value)
    return str(value)


#: Which of two candidates is better, for the first
Comparator = Callable[[Candidate, Candidate], Comparison]
#: step, A's value, B's value
Step = tuple[str, int, int]


def compare(a: Candidate, b: Candidate) -> Comparison:
    """Which of two candidates is better. Part 1 when the grandmasters differ, else part 2."""
    if a.grandmaster == b.grandmaster:
        return compare_paths(a, b)
    return compare_steps((("priority1", a.priority1, b.priority1), *quality_steps(a, b))) or compare_grandmasters(a, b)


def quality_steps(a: Candidate, b: Candidate) -> tuple[Step, ...]:
    """What the default and the telecom comparison share, in this order."""
    return (
        ("clockClass", a.quality.clock_class, b.quality.clock_class),
        ("clockAccuracy", a.quality.clock_accuracy, b.quality.clock_accuracy),
        ("offsetScaledLogVariance", a.quality.offset_scaled_log_variance, b.quality.offset_scaled_log_variance),
        ("priority2", a.priority2, b.priority2),
    )


def compare_steps(steps: tuple[Step, ...]) -> Comparison | None:
    """The first step that differs decides; None when none does."""
    for step, x, y in steps:
        if x != y:
            return Comparison(Rank.A_BETTER if x < y else Rank.B_BETTER, step, x, y)
    return None


def compare_grandmasters(a: Candidate, b: Candidate) -> Comparison:
    """By grandmasterIdentity, which must differ."""
    rank = Rank.A_BETTER if a.grandmaster < b.grandmaster else Rank.B_BETTER
    return Comparison(rank, "grandmasterIdentity", a.grandmaster, b.grandmaster)


def compare_paths(a: Candidate, b: Candidate) -> Comparison:
    """Part 2: the same grandmaster by two paths."""
    sa, sb = a.steps_removed, b.steps_removed
    if sa > sb + 1:
        return Comparison(Rank.B_BETTER, "stepsRemoved", sa, sb)
    if sb > sa + 1:
        return Comparison(Rank.A_BETTER, "stepsRemoved", sa, sb)
    if sa > sb:
        return _one_step_apart(a, Rank.B_BETTER, Rank.B_BETTER_BY_TOPOLOGY, sa, sb)
    if sb > sa:
        return _one_step_apart(b, Rank.A_BETTER, Rank.A_BETTER_BY_TOPOLOGY, sa, sb)
    if a.sender != b.sender:
        rank = Rank.A_BETTER_BY_TOPOLOGY if a.sender < b.sender else Rank.B_BETTER_BY_TOPOLOGY
        return Comparison(rank, "sender portIdentity", a.sender, b.sender)
    pa, pb = a.receiver.port_number, b.receiver.port_number
    if pa != pb:
        rank = Rank.A_BETTER_BY_TOPOLOGY if pa < pb else Rank.B_BETTER_BY_TOPOLOGY
        return Comparison(rank, "receiver portNumber", pa, pb)
    return Comparison(Rank.SAME, "the same message (error-2)", a.sender, b.sender)


def _one_step_apart(farther: Candidate, plain: Rank, by_topology: Rank, sa: int, sb: int) -> Comparison:
    """One step apart, the nearer wins; whether only by topology says the farther one's receiver against its sender."""
    if farther.receiver == farther.sender:
        return Comparison(Rank.SAME, "message from self (error-1)", farther.receiver, farther.sender)
    rank = plain if farther.receiver < farther.sender else by_topology
    return Comparison(rank, "stepsRemoved", sa, sb)
