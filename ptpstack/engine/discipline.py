"""Edges of the clock graph, and which of them steers.

An edge leads from a source of time (a reference, a PTP instance) to a clock, through a servo. **Policy**: a clock's
reference comes first, then the instances in the order of the configuration; the first edge that can say how far the
clock is off steers, every other edge on that clock only watches. An earlier edge takes a clock from a later one that is
doing well only after it has shown a few offsets. An edge is usable from its first measurement until its source is lost
or silent.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ptpstack.protocol.decision import Decision
from ptpstack.servo.base import Servo, ServoState

#: A source is called silent after this many of its intervals without a measurement, and at least this long.
SILENT_INTERVALS = 16
SILENT_AT_LEAST_NS = 3_000_000_000
#: Offsets that an edge has to show before it takes a clock from one that is locked.
PROOF_SAMPLES = 4


@dataclass(slots=True)
class Edge:
    name: str
    clock: str
    servo: Servo
    instance: str | None
    usable: bool = False
    measured_ns: int = 0
    interval_ns: int = 1_000_000_000
    log_interval: int | None = None
    again_at_ns: int | None = None
    measurements: int = 0
    #: since when the present parent is followed
    followed_ns: int = 0

    def silent_at_ns(self) -> int:
        return self.measured_ns + max(SILENT_INTERVALS * self.interval_ns, SILENT_AT_LEAST_NS)


@dataclass(slots=True)
class SteeredClock:
    name: str
    steerable: bool
    why_not: str
    max_frequency_ppb: float
    edges: list[Edge] = field(default_factory=list)
    steering: Edge | None = None
    frequency_ppb: float = 0.0
    steps: int = 0
    decision: Decision = field(default_factory=lambda: Decision("none", "nothing to steer this clock by yet"))
    #: the last frequency that the clock is known to have taken
    confirmed_ppb: float = 0.0
    #: it has taken a command: from then on it is in service, and no first step is owed to it
    served: bool = False
    #: commands refused in a row
    refusals: int = 0
    #: when the first of them was
    refused_ns: int = 0
    left_alone_until_ns: int | None = None

    def arbitrate(self) -> bool:
        """Choose the edge that steers; True when it is another one than before."""
        if not self.steerable:
            self.decision = Decision("not-steerable", self.why_not or "this clock is only read, never steered")
            return False
        if self.left_alone_until_ns is not None:
            return False
        usable = [e for e in self.edges if e.usable]
        able = [e for e in usable if e.servo.samples > 0]
        chosen = next(iter(able or usable), None)
        current = self.steering
        # with nobody usable, the last one keeps the clock in holdover until somebody comes
        if chosen is None or chosen is current:
            return False
        if current in able and locked(current) and chosen.servo.samples < PROOF_SAMPLES:
            return False
        self.steering = chosen
        left_with = [edge.servo.watch_only() for edge in self.edges if edge is not chosen]
        settled = next((ppb for ppb in left_with if ppb is not None), None)
        if settled is not None:
            # not the last correction, which was made to be undone by the next
            self.frequency_ppb = settled
        chosen.servo.take_over(self.frequency_ppb, in_service=self.served, settled=settled is not None)
        self.decision = Decision(
            "steers",
            f"{chosen.name} steers {self.name}: the first usable one in order of reference, then configuration",
            {
                "order": [e.name for e in self.edges],
                "usable": [e.name for e in usable],
                "before": None if current is None else current.name,
            },
            tuple(f"{e.name} only watches" for e in usable if e is not chosen),
            "an earlier one becoming usable, or this one being lost",
        )
        return True

    def leave_alone(self, until_ns: int, why: str) -> None:
        """Nobody steers this clock until then."""
        self.left_alone_until_ns = until_ns
        self.steering = None
        for edge in self.edges:
            edge.servo.watch_only()
        self.decision = Decision("left-alone", f"the clock refused {self.refusals} commands in a row: {why}")


def locked(edge: Edge) -> bool:
    return edge.servo.state is ServoState.LOCKED
