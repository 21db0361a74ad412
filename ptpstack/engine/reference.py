"""What a grandmaster may say of its time, from the state of its reference (IEEE 1588-2019 7.6.2.5, 9.4).

    free-running --lock--> locked --signal lost--> holdover --time over, or bound too large--> holdover-out-of-spec
                             ^-------------------------lock again-----------------------------------'

A reference that comes back counts only once the servo has locked to it again. A declared state overrides this.

The accuracy that is announced: while locked, what the reference is said to be worth, or the servo's bound when that
is worse; in holdover, both added, and the bound grows as the servo says. A worse code is announced at once, a better
one of the same state only when it has held for ``BETTER_AFTER_NS``: nobody elects anew for a bound that breathes.
"""

from __future__ import annotations

from enum import Enum

from ptpstack.engine.plan import ReferencePlan
from ptpstack.protocol.decision import Decision
from ptpstack.protocol.options import QualityTable, TimeProperties
from ptpstack.wire.types import ACCURACY_UNKNOWN, CLOCK_ACCURACY_NS, ClockQuality, TimeSource, clock_accuracy_for

BETTER_AFTER_NS = 64_000_000_000


class ReferenceState(Enum):
    LOCKED = "locked"
    HOLDOVER = "holdover"
    HOLDOVER_OUT_OF_SPEC = "holdover-out-of-spec"
    FREE_RUNNING = "free-running"


class Reference:
    def __init__(self, plan: ReferencePlan) -> None:
        self.plan = plan
        self.state = ReferenceState.FREE_RUNNING
        self.signal = plan.type != "declared" and plan.state == "locked"
        self.forced_class: int | None = None
        #: clockAccuracy while locked
        self.accuracy = plan.accuracy
        self.since_ns = 0
        self.decision = Decision("free-running", "never locked to the reference since the start")
        self.declared = plan.type == "declared"
        #: how far the clock may be from its reference, ns; None: nobody knows
        self.bound_ns: float | None = None
        #: the clockAccuracy in force, and since when a better one would be right
        self._code = ACCURACY_UNKNOWN
        self._better_since: int | None = None

    def start(self, now: int) -> None:
        self.since_ns = now
        if self.declared:
            self._enter(ReferenceState(self.plan.state), now, "declared by the configuration")
        elif not self.signal:
            self._enter(ReferenceState(self.plan.state), now, "the reference gives no signal, by configuration")

    def declare(self, state: ReferenceState, clock_class: int | None, servo_locked: bool, now: int) -> None:
        """The operator's word. For a measured reference ``locked`` means that the signal is there again, and with a
        class that it counts as locked at once. ``servo_locked``: whether the clock is locked to it now.
        """
        self.forced_class = clock_class
        if self.declared:
            self._enter(state, now, "declared by the operator")
            return
        self.signal = state is ReferenceState.LOCKED
        if not self.signal:
            self._enter(state, now, "declared by the operator: the reference's signal is gone")
        elif clock_class is not None:
            self._enter(state, now, "declared by the operator")
        elif self.state is ReferenceState.LOCKED and not servo_locked:
            self._enter(ReferenceState.HOLDOVER, now, "the operator's word is lifted, and the clock is not locked")
        elif self.state is not ReferenceState.LOCKED:
            self.decision = Decision(self.state.value, "the signal is back; it counts once the clock has locked to it")

    def servo_changed(self, locked: bool, servo_state: str, now: int) -> bool:
        """The servo between reference and clock has entered another state; True when that changes what we may say."""
        if self.declared:
            return False
        if locked and self.signal and self.state is not ReferenceState.LOCKED:
            self._enter(ReferenceState.LOCKED, now, "the clock has locked to the reference")
            return True
        if not locked and self.state is ReferenceState.LOCKED and self.forced_class is None:
            self._enter(ReferenceState.HOLDOVER, now, f"the clock is no longer locked to its reference ({servo_state})")
            return True
        return False

    @property
    def accuracy_ns(self) -> float | None:
        """What the reference itself is worth, ns; None: it does not say."""
        return CLOCK_ACCURACY_NS.get(self.accuracy)

    def bounded(self, bound_ns: float | None, now: int) -> None:
        """The servo's word: how far the clock may be from its reference now."""
        self.bound_ns = bound_ns
        wanted = self._accuracy()
        if wanted >= self._code:
            self._code, self._better_since = wanted, None
        elif self._better_since is None:
            self._better_since = now
        elif now - self._better_since >= BETTER_AFTER_NS:
            self._code, self._better_since = wanted, None

    def _accuracy(self) -> int:
        worth_ns, bound_ns = self.accuracy_ns, self.bound_ns
        if self.state is ReferenceState.LOCKED:
            if worth_ns is None or bound_ns is None or bound_ns <= worth_ns:
                return self.accuracy
            return clock_accuracy_for(bound_ns)
        # in holdover: never claim what was true while locked
        if self.declared or self.state is ReferenceState.FREE_RUNNING or worth_ns is None or bound_ns is None:
            return ACCURACY_UNKNOWN
        return clock_accuracy_for(worth_ns + bound_ns)

    def tick(self, now: int) -> None:
        if self.declared or self.state is not ReferenceState.HOLDOVER:
            return
        limit_ns = self.plan.holdover_limit_ns
        if now - self.since_ns > self.plan.holdover_spec_s * 1e9:
            why = f"in holdover for more than {self.plan.holdover_spec_s:.0f} s, beyond specification"
        elif limit_ns and self.bound_ns is not None and self.bound_ns + (self.accuracy_ns or 0.0) > limit_ns:
            may_be_ns = self.bound_ns + (self.accuracy_ns or 0.0)
            why = f"in holdover the clock may be off by {may_be_ns:.0f} ns, and {limit_ns:.0f} ns is the limit"
        else:
            return
        self._enter(ReferenceState.HOLDOVER_OUT_OF_SPEC, now, why)

    def _enter(self, state: ReferenceState, now: int, reason: str) -> None:
        self.state = state
        self.since_ns = now
        self._code, self._better_since = self._accuracy(), None
        self.decision = Decision(state.value, reason, {"forced_class": self.forced_class})

    def next_deadline(self) -> int | None:
        if self.declared or self.state is not ReferenceState.HOLDOVER:
            return None
        return self.since_ns + int(self.plan.holdover_spec_s * 1e9) + 1

    def quality(self, table: QualityTable, own: ClockQuality) -> ClockQuality:
        """clockQuality of D0. ``own`` is what the clock is worth without a reference."""
        state = self.state
        if state is ReferenceState.FREE_RUNNING:
            quality = own
        elif not self.plan.primary:
            quality = ClockQuality(own.clock_class, self._code, own.offset_scaled_log_variance)
        elif state is ReferenceState.LOCKED:
            quality = ClockQuality(table.locked, self._code, self.plan.variance)
        else:
            clock_class = table.holdover if state is ReferenceState.HOLDOVER else table.holdover_out_of_spec
            quality = ClockQuality(clock_class, self._code, 0xFFFF)
        if self.forced_class is not None:
            quality = quality._replace(clock_class=self.forced_class)
        return quality

    def time_properties(self, utc_offset: int, table_valid: bool, leap59: bool, leap61: bool) -> TimeProperties:
        """timePropertiesDS of the grandmaster; UTC is called valid only while its time is known."""
        state = self.state
        known = state in (ReferenceState.LOCKED, ReferenceState.HOLDOVER)
        traceable = known and self.plan.primary
        return TimeProperties(
            current_utc_offset=utc_offset,
            current_utc_offset_valid=known and table_valid,
            leap59=known and table_valid and leap59,
            leap61=known and table_valid and leap61,
            time_traceable=traceable,
            frequency_traceable=traceable,
            ptp_timescale=True,
            time_source=self.plan.time_source if state is ReferenceState.LOCKED else TimeSource.INTERNAL_OSCILLATOR,
        )
