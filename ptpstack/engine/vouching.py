"""What this node may say of its time, to its clients and to its own kernel.

1. D0 of an instance follows the reference of its clock: class, accuracy, UTC offset, leap flags.
2. A boundary clock that has lost its master says how accurate its holdover still is: the lost grandmaster's accuracy
   and the servo's bound, added. Its class is its own, or what its profile has for that, never better than the lost one.
3. The kernel's clock is declared synchronised, with its bound, only while the edge that steers it is locked or holds
   over; a leap second is armed in its UTC day. TAI goes on through a leap second: only the kernel's UTC has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ptpstack.engine.effects import DeclareClock, EngineEffect
from ptpstack.engine.holdover import time_to_limit
from ptpstack.engine.plan import EnginePlan
from ptpstack.engine.reference import Reference, ReferenceState
from ptpstack.engine.steering import Steering
from ptpstack.protocol.effects import Effect
from ptpstack.protocol.instance import Instance
from ptpstack.protocol.options import InstanceOptions
from ptpstack.servo.base import ServoState
from ptpstack.wire.types import CLOCK_ACCURACY_NS, ClockQuality, clock_accuracy_for

#: The limit that a forecast is about when no reference names one.
FORECAST_LIMIT_NS = 1_000.0

Take = Callable[[str, list[Effect], int], None]


class Vouching:
    def __init__(
        self,
        plan: EnginePlan,
        instances: Mapping[str, Instance],
        references: Mapping[str, Reference],
        steering: Steering,
        take: Take,
        emit: Callable[[EngineEffect], None],
    ) -> None:
        self._plan = plan
        self._instances = instances
        self._references = references
        self._steering = steering
        self._take = take
        self._emit = emit
        self._declares = [c.name for c in plan.clocks if c.declares and c.steerable]
        #: clocks that the kernel takes for synchronised by our word
        self._declared: set[str] = set()
        #: quality of the grandmaster an instance follows, or followed last, and how far off its clock could be then, ns
        self._followed: dict[str, tuple[ClockQuality, float | None]] = {}

    # ---- clients ----------------------------------------------------------------------------------------------

    def believe(self) -> None:
        """A declared reference that is locked or in holdover makes its clock good without a servo."""
        for name, reference in self._references.items():
            self._steering.clocks[name].vouched = reference.declared and reference.state in (
                ReferenceState.LOCKED,
                ReferenceState.HOLDOVER,
            )

    def refresh(self, now: int) -> None:
        """D0 of every instance."""
        table = self._plan.leap
        for name, instance in self._instances.items():
            reference = self._references.get(instance.options.clock)
            if reference is None:
                self._in_holdover(name, instance, now)
                continue
            ptp_s = self._steering.ptp_s(instance.options.clock, now)
            if ptp_s is None:
                offset, valid, flags = table.entries[-1].tai_minus_utc, False, (False, False)
            else:
                offset, flags = table.at_ptp(ptp_s), table.leap_flags(ptp_s)
                valid = table.status(ptp_s - offset).usable
            options = instance.options
            quality = reference.quality(options.quality_table, options.quality)
            properties = reference.time_properties(offset, valid, *flags)
            self._take(name, instance.set_quality(quality, properties, now), now)
            if ptp_s is not None and instance.announce_options:
                self._take(name, instance.tell_time(ptp_s, now), now)

    def _in_holdover(self, name: str, instance: Instance, now: int) -> None:
        options, data = instance.options, instance.data
        if options.client_only or len(instance.ports) < 2:
            return
        quality = options.quality
        if instance.following_port is not None:
            self._followed[name] = data.parent.grandmaster_quality, self._steering.bound_ns(options.clock, now)
        elif name in self._followed:
            quality = self._held_over(*self._followed[name], options, now)
        self._take(name, instance.set_quality(quality, instance.own_properties, now), now)

    def _held_over(
        self, lost: ClockQuality, followed_ns: float | None, options: InstanceOptions, now: int
    ) -> ClockQuality:
        """What a boundary clock is worth that holds over what ``lost`` gave it to within ``followed_ns``."""
        own, table = options.quality, options.quality_table
        steering = self._steering.clocks[options.clock].steering
        if steering is None or steering.servo.state is not ServoState.HOLDOVER:
            return own
        worth_ns = CLOCK_ACCURACY_NS.get(lost.clock_accuracy)
        bound_ns = self._steering.bound_ns(options.clock, now)
        off_ns = None if worth_ns is None or bound_ns is None else worth_ns + bound_ns
        drifted_ns = None if followed_ns is None or bound_ns is None else bound_ns - followed_ns
        within = drifted_ns is not None and drifted_ns <= options.boundary_holdover_limit_ns
        clock_class = table.boundary_holdover if within else table.boundary_out_of_spec
        return ClockQuality(
            max(clock_class, lost.clock_class) if clock_class else own.clock_class,
            own.clock_accuracy if off_ns is None else clock_accuracy_for(off_ns),
            own.offset_scaled_log_variance,
        )

    def bound(self, now: int) -> None:
        """Tell each reference what the servo says of its clock."""
        for name, reference in self._references.items():
            if not reference.declared:
                reference.bounded(self._steering.bound_ns(name, now), now)

    def forecast(self, clock: str, now: int) -> dict[str, float | None]:
        """For how long a clock stays within its limit if nothing is measured any more (``for_s``; None: unknown)."""
        reference = self._references.get(clock)
        limit_ns = (reference.plan.holdover_limit_ns if reference is not None else 0.0) or FORECAST_LIMIT_NS
        return {"limit_ns": limit_ns, "for_s": self._within_for_s(clock, limit_ns, now)}

    def _within_for_s(self, clock: str, limit_ns: float, now: int) -> float | None:
        edge = self._steering.clocks[clock].steering
        estimate = None if edge is None else self._steering.estimate(edge, now)
        if edge is None or estimate is None or estimate.bound_ns is None:
            return None
        reference = self._references.get(clock)
        worth_ns = (reference.accuracy_ns or 0.0) if reference is not None else 0.0
        fixed_ns = abs(estimate.value_ns) + estimate.systematic_ns + worth_ns
        own_s = time_to_limit(lambda s: edge.servo.bound_after(s, now), fixed_ns, limit_ns)
        if edge.source is None or not edge.usable or own_s is None:
            return own_s
        # it goes on following a source that drifts
        source_s = self._within_for_s(edge.source, limit_ns, now)
        return own_s if source_s is None else min(own_s, source_s)

    # ---- the kernel -------------------------------------------------------------------------------------------

    def declare(self, now: int) -> None:
        """What the kernel is told of its clock, once a second: its own maximum error grows meanwhile."""
        table = self._plan.leap
        for name in self._declares:
            ptp_s = self._steering.ptp_s(name, now)
            if ptp_s is None:
                continue
            clock = self._steering.clocks[name]
            bound_ns = None if clock.steering is None else self._steering.bound_ns(name, now)
            if bound_ns is None and name not in self._declared:
                continue
            if bound_ns is None:
                self._declared.discard(name)
            else:
                self._declared.add(name)
            estimate = None if clock.steering is None else clock.steering.servo.estimate(now)
            offset = table.at_ptp(ptp_s)
            leap59, leap61 = table.leap_flags(ptp_s) if table.status(ptp_s - offset).usable else (False, False)
            self._emit(
                DeclareClock(
                    name,
                    bound_ns,
                    0.0 if estimate is None else abs(estimate.value_ns),
                    offset,
                    1 if leap61 else -1 if leap59 else 0,
                )
            )
