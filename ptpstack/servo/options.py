"""Settings of a servo; ``ptpstack.config`` makes them from TOML."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class PiGains:
    """kp = min(kp_scale x T**kp_exponent, kp_norm_max / T), the same for ki; T is the Sync interval in s."""

    kp_scale: float
    ki_scale: float
    kp_exponent: float = -0.3
    ki_exponent: float = 0.4
    kp_norm_max: float = 0.7
    ki_norm_max: float = 0.3
    #: offsets that the first frequency and the first step are made of
    start_samples: int = 2
    #: s that they cover at least; 0: 0.016 / ki
    start_span_s: float = 0.0
    #: go on with the gains of a least squares fit over all samples since the start, until they have sunk to these
    least_squares_start: bool = False
    #: set aside an offset that is this many times the usual spread away from its neighbours; 0: take every one
    spike_gate: float = 0.0
    #: path delays of a master that must be known before offsets from it count: a single one may be a held-up packet
    first_delays: int = 1

    def at(self, interval_s: float) -> tuple[float, float]:
        kp = min(self.kp_scale * interval_s**self.kp_exponent, self.kp_norm_max / interval_s)
        ki = min(self.ki_scale * interval_s**self.ki_exponent, self.ki_norm_max / interval_s)
        return kp, ki


#: The constants that linuxptp uses, so that its results can be reproduced (facts: state machines 9).
LINUXPTP_HARDWARE = PiGains(0.7, 0.3)
LINUXPTP_SOFTWARE = PiGains(0.1, 0.001)
#: Our own for software stamps: a robust start of a few samples that settles in seconds rather than minutes, then gains
#: small enough to average the jitter of a switched path, and no running after a packet that the scheduler held up.
SOFTWARE = PiGains(
    0.1, 0.004, start_samples=5, start_span_s=2.0, least_squares_start=True, spike_gate=6.0, first_delays=3
)

GAINS = {"hardware": LINUXPTP_HARDWARE, "software": SOFTWARE, "linuxptp-software": LINUXPTP_SOFTWARE}


@dataclass(frozen=True, slots=True)
class ServoOptions:
    #: ``estimator``, ``pi``, ``linreg`` or ``nullf``; what follows up to ``ki_norm_max`` and the delay filter is for
    #: ``pi`` only
    type: str = "estimator"
    #: a key of GAINS
    gains: str = "hardware"
    #: fixed constants override the formula when above 0
    kp: float = 0.0
    ki: float = 0.0
    #: members of PiGains that are not those of ``gains``
    kp_scale: float | None = None
    kp_exponent: float | None = None
    kp_norm_max: float | None = None
    ki_scale: float | None = None
    ki_exponent: float | None = None
    ki_norm_max: float | None = None
    first_step_threshold_ns: float = 20_000.0
    #: 0: never step once running
    step_threshold_ns: float = 0.0
    #: no further than this, whatever the clock can
    max_frequency_ppb: float = math.inf
    #: the fastest that a phase is slewed away once running (estimator only)
    max_slew_ppb: float = 50_000.0
    delay_filter: str = "moving_median"
    delay_filter_length: int = 10
    #: LOCKED after three offsets in a row below this ...
    lock_threshold_ns: float = 20_000.0
    #: ... until three in a row lie beyond this many times it: hysteresis
    unlock_factor: float = 10.0
    #: random walk of the oscillator's frequency, ppb per root second: how fast a bound grows without measurements
    wander_ppb: float = 1.0


_FORMULA = ("kp_scale", "kp_exponent", "kp_norm_max", "ki_scale", "ki_exponent", "ki_norm_max")


def gains_of(options: ServoOptions) -> PiGains:
    """The formula of a PI servo: that of ``gains``, but for what is given."""
    given = {name: value for name in _FORMULA if (value := getattr(options, name)) is not None}
    return replace(GAINS[options.gains], **given) if given else GAINS[options.gains]
