"""From stamps to the numbers of the filter, and back: one scale of time, one origin of offsets, the grain of the
stamps.

Floats stay small because whole numbers are taken off first: the clock's first stamp from every time (``ledger``), the
first offset and the sum of all steps from every offset.
"""

from __future__ import annotations

from math import exp

from ptpstack.servo.estimator.grain import Grain
from ptpstack.servo.estimator.ledger import Ledger
from ptpstack.timebase.units import float_ns_to_sns, sns_to_float_ns

#: 2 pi^2, in sum for both clocks' grains
_BLURRED = 20.0


class Timeline:
    """``clock_ppb``: the command that the clock runs with when the scale begins; the ledger's rates are relative to it.

    ``direct``: readings of one clock against another, whose rounding nobody knows.
    """

    __slots__ = ("_base_sns", "_direct", "base_ppb", "ledger", "local_grain", "moment", "received_grain", "sent_grain")

    def __init__(self, clock_ppb: float, direct: bool) -> None:
        self._direct = direct
        self.ledger = Ledger()
        self.base_ppb = clock_ppb
        #: a whole number near the first offset, sns
        self._base_sns: int | None = None
        #: a moment on both scales: s of the ledger, ns of the driver
        self.moment: tuple[float, int] | None = None
        self.local_grain = Grain()
        #: the master's sending stamps and its receiving ones: one that sends on the dot shows no grain in the first
        self.sent_grain = Grain()
        self.received_grain = Grain()

    # ---- time -------------------------------------------------------------------------------------------------

    def at(self, now_ns: int) -> float:
        """The driver's time on this scale, s."""
        assert self.moment is not None
        return self.moment[0] + (now_ns - self.moment[1]) / 1e9

    def ahead_s(self, t: float, now_ns: int) -> float:
        """How far a stamp is ahead of where the driver's clock says it should be, s."""
        moment = self.moment
        return 0.0 if moment is None else t - moment[0] - (now_ns - moment[1]) / 1e9

    def commanded(self, clock_sns: int, frequency_ppb: float, now_ns: int) -> None:
        t = self.ledger.seconds(clock_sns)
        self.ledger.commanded(t, frequency_ppb - self.base_ppb)
        self.moment = (t, now_ns)

    def stepped(self, step_sns: int) -> None:
        self.ledger.stepped(step_sns)
        self.local_grain.skip()

    # ---- offsets ----------------------------------------------------------------------------------------------

    def value(self, side: int, t: float, difference_sns: int) -> float:
        """A difference of stamps freed of commands, steps and rounding, ns: side * phase + delay + wait."""
        if side == 0:
            return difference_sns / 65536.0
        if self._base_sns is None:
            self._base_sns = side * difference_sns
        ledger = self.ledger
        origin = self._base_sns + ledger.stepped_sns
        return (difference_sns - side * origin) / 65536.0 - side * ledger.at(t) + self.half_grains(side)

    def forget_offset(self) -> None:
        """The next offset is the first one again: that of another master may lie far away."""
        self._base_sns = None

    def offset_ns(self, phase: float, t: float) -> float:
        """The clock minus its master at ``t``, from the phase of the free clock, ns."""
        assert self._base_sns is not None
        return sns_to_float_ns(self._base_sns + self.ledger.stepped_sns) + phase + self.ledger.at(t)

    def offset_sns(self, phase: float, t: float) -> int:
        """The same as a whole number: a first offset may be half a century."""
        assert self._base_sns is not None
        return self._base_sns + self.ledger.stepped_sns + float_ns_to_sns(phase + self.ledger.at(t))

    # ---- rounding ---------------------------------------------------------------------------------------------

    def new_master(self) -> None:
        self.sent_grain.skip()
        self.received_grain.skip()

    def half_grains(self, side: int) -> float:
        """Stamps are rounded down: each is half a grain early."""
        if self._direct:
            return 0.0
        local = self.local_grain.ns
        return 0.5 * (local - self.sent_grain.ns if side > 0 else self.received_grain.ns - local)

    def grain2(self, side: int) -> float:
        """Variance of rounding in a packet of this direction, ns^2. A peer delay is half of what four stamps say."""
        if side == 0:
            return (self.local_grain.ns2 + self.sent_grain.ns2) / 24.0
        master = self.sent_grain if side > 0 else self.received_grain
        return (self.local_grain.ns2 + master.ns2) / 12.0

    def hidden2(self, noise: float) -> float:
        """What rounding may hide, ns^2. Noise (ns^2) blurs its steps: it falls off as the transform of a normal
        distribution does, exp(-2 pi^2 noise / grain^2).
        """
        grain2 = self.local_grain.ns2 + self.received_grain.ns2
        return grain2 * exp(-_BLURRED * noise / grain2) if grain2 else 0.0

    def doubt_ns(self) -> float:
        """A clock that rounds to the nearest rather than down is not half a grain early: nobody can see which it
        does.
        """
        return 0.5 * abs(self.half_grains(1) - self.half_grains(-1))
