"""Edges of the clock graph, and which of them steers.

An edge leads from a source of time (a reference, a PTP instance) to a clock, through a servo. **Policy**: a clock's
reference comes first, then the instances in the order of the configuration; the first edge that has a usable source
steers, every other edge on that clock only watches. An edge is usable from its first measurement until its source is
lost or silent.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ptpstack.protocol.decision import Decision
from ptpstack.servo.base import Servo, ServoState

#: A source is called silent after this many of its intervals without a measurement, and at least this long.
SILENT_INTERVALS = 16
SILENT_AT_LEAST_NS = 3_000_000_000


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

    def arbitrate(self) -> bool:
        """Choose the edge that steers; True when it is another one than before."""
        if not self.steerable:
            self.decision = Decision("not-steerable", self.why_not or "this clock is only read, never steered")
            return False
        chosen = next((e for e in self.edges if e.usable), None)
        if chosen is None:
            # the last one keeps the clock in holdover until somebody better comes
            return False
        if chosen is self.steering:
            return False
        previous, self.steering = self.steering, chosen
        for edge in self.edges:
            if edge is not chosen:
                edge.servo.watch_only()
        chosen.servo.take_over(self.frequency_ppb)
        self.decision = Decision(
            "steers",
            f"{chosen.name} steers {self.name}: the first usable one in order of reference, then configuration",
            {"order": [e.name for e in self.edges], "usable": [e.name for e in self.edges if e.usable]},
            tuple(f"{e.name} only watches" for e in self.edges if e is not chosen and e.usable),
            "an earlier one becoming usable, or this one being lost",
        )
        if previous is not None:
            self.decision.inputs["before"] = previous.name
        return True


def locked(edge: Edge) -> bool:
    return edge.servo.state is ServoState.LOCKED
