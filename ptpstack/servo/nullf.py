"""A controller that steps and leaves the frequency alone: for a clock whose frequency comes by SyncE."""

from __future__ import annotations

from ptpstack.servo.controller import Action, Answer, Controller


class NullController(Controller):
    def set_interval(self, interval_s: float) -> None:
        """Nothing depends on it."""

    def restart(self) -> None:
        self._running = True

    def settle(self) -> None:
        self._running = True

    def start_from(self, frequency_ppb: float, *, in_service: bool = False, settled: bool = False) -> None:
        """Whatever the clock ran with: from the first answer on it runs as it is."""
        super().start_from(0.0, in_service=in_service, settled=settled)

    def sample(self, offset_ns: float, local_sns: int) -> Answer:
        options = self._options
        self._running = True
        limits = [options.step_threshold_ns] if self._ever_stepped else []
        limits = limits or [options.first_step_threshold_ns, options.step_threshold_ns]
        self._ever_stepped = True
        if any(limit and abs(offset_ns) > limit for limit in limits):
            reason = f"offset {offset_ns:+.0f} ns is beyond the step threshold: step; the frequency is not ours"
            return Answer(Action.STEP, 0.0, reason, offset_ns)
        return Answer(Action.ADJUST, 0.0, f"offset {offset_ns:+.1f} ns; the frequency is not ours")
