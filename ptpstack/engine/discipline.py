"""Edges of the clock graph, and which of them steers.

An edge leads from a source of time (a reference, a PTP instance, another clock) to a clock, through a servo.
**Policy**: a clock's reference comes first, then the instances in the order of the configuration (with each of them
the edges that tie its port clocks to each other), then the edges between clocks that the configuration names; the
first edge that can say how far the clock is off steers, every other edge on that clock only watches. An edge whose
source takes its own time from this clock never steers it: a loop keeps no time. An earlier edge takes a clock from a
later one that is doing well only after it has shown a few offsets. An edge is usable from its first measurement until
its source is lost, silent, or no longer to be trusted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ptpstack.protocol.decision import Decision
from ptpstack.protocol.timers import NEVER
from ptpstack.servo.base import Servo, ServoState
from ptpstack.servo.options import ServoOptions

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
    #: what its servo was made with
    options: ServoOptions
    #: the PTP instance that time comes from by this edge, if it is one
    instance: str | None
    #: the clock that time comes from, if it is one
    source: str | None = None
    #: made to tie the clocks of an instance's ports together, not named by the configuration
    automatic: bool = False
    #: steers only when no other can: its source is as good as nothing, or holds over
    fallback: bool = False
    usable: bool = False
    #: why nothing comes this way at present, or ""
    why_not: str = ""
    measured_ns: int = 0
    interval_ns: int = 1_000_000_000
    silent_intervals: int = SILENT_INTERVALS
    log_interval: int | None = None
    #: when its servo wants to be asked again
    again_at_ns: int = NEVER
    measurements: int = 0
    #: since when the present parent is followed
    followed_ns: int = 0
    #: what was added to the last stamp of the master to have PTP time, sns
    shift_sns: int = 0
    #: bound of the source when it was lost, ns
    upstream_ns: float | None = None
    #: its instance was removed (membership.py)
    retired: bool = False

    @property
    def kind(self) -> str:
        """``clock``, ``instance`` or ``reference``: what time comes from."""
        return "clock" if self.source is not None else "instance" if self.instance is not None else "reference"

    def silent_at_ns(self) -> int:
        return self.measured_ns + max(self.silent_intervals * self.interval_ns, SILENT_AT_LEAST_NS)


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
    #: somebody who is believed says that it is right: a declared reference that is locked or in holdover
    vouched: bool = False
    #: it was stepped: not to be relied on before the edge that steers it has measured so often
    doubted_until: int = 0

    def arbitrate(self, loops: Callable[[Edge], bool] = lambda edge: False) -> bool:
        """Choose the edge that steers; True when it is another one than before.

        ``loops``: whether the source of an edge takes its time from this clock.
        """
        if not self.steerable:
            self.decision = Decision("not-steerable", self.why_not or "this clock is only read, never steered")
            return False
        if self.left_alone_until_ns is not None:
            return False
        usable = [e for e in self.edges if e.usable]
        looping = [e for e in usable if loops(e)]
        fit = sorted((e for e in usable if e not in looping), key=lambda e: e.fallback)
        able = [e for e in fit if e.servo.samples > 0]
        chosen = next(iter(able or fit), None)
        current = self.steering
        # with nobody usable, the last one keeps the clock in holdover until somebody comes
        if chosen is None or chosen is current:
            return False
        if current in able and locked(current) and chosen.servo.samples < PROOF_SAMPLES:
            return False
        self.steering = chosen
        left_with = [edge.servo.watch_only() for edge in self.edges if edge is not chosen]
        learnt = next((learnt for learnt in left_with if learnt is not None), None)
        if learnt is not None:
            # not the last correction, which was made to be undone by the next
            self.frequency_ppb = learnt.frequency_ppb
        # a clock that is not in service still needs a start: its first step is made there
        chosen.servo.take_over(
            self.frequency_ppb,
            in_service=self.served,
            learnt_ppb=learnt.sigma_ppb if learnt is not None and self.served else None,
        )
        self.decision = Decision(
            "steers",
            f"{chosen.name} steers {self.name}: the first usable one in order of reference, instances, clocks",
            {
                "order": [e.name for e in self.edges],
                "usable": [e.name for e in usable],
                "before": None if current is None else current.name,
            },
            tuple(
                f"{e.name} is refused: {e.source} takes its own time from {self.name}"
                if e in looping
                else f"{e.name} only watches"
                for e in usable
                if e is not chosen
            ),
            "an earlier one becoming usable, or this one being lost",
        )
        return True

    def leave_alone(self, until_ns: int, why: str) -> None:
        """Nobody steers this clock until then."""
        self.left_alone_until_ns = until_ns
        self.steering = None
        for edge in self.edges:
            edge.servo.watch_only()
        self.decision = Decision("left-alone", why, would_change="the end of that time")


def locked(edge: Edge) -> bool:
    return edge.servo.state is ServoState.LOCKED
