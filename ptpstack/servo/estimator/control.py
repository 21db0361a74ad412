"""From an estimate to commands: take the phase away quickly, then run with the frequency that is known.

After a packet the command is ``-f`` less a slew ``v`` for as long as the phase needs; then ``-f`` alone. Small phases
go within a tenth of an interval (which is what keeps a chain of clocks quiet), large ones as fast as a cap allows:

    v = min(|phase| / tau, cap),   tau = max(0.1 T, min(T, 0.05 s))
    cap = max(50 ppb, min(2 |phase| / T, 2.5 ppm), |phase| / 4 s), never above the slew limit.

There is no integrator, so nothing winds up and nothing overshoots.
"""

from __future__ import annotations

from typing import NamedTuple

_QUICK_S = 0.05
_SHARE = 0.1
_LEAST_CAP_PPB = 50.0
_USUAL_CAP_PPB = 2_500.0
_FAR_S = 4.0


class Drive(NamedTuple):
    frequency_ppb: float
    #: s from now after which the frequency alone is to be set, if no packet comes before; None: it is set already
    ends_in_s: float | None


def drive(phase_ns: float, frequency_ppb: float, interval_s: float, limit_ppb: float, slew_limit_ppb: float) -> Drive:
    """What to tell the clock. ``frequency_ppb``: that of the free clock; ``limit_ppb``: the clock's range."""
    rest = -frequency_ppb
    size = abs(phase_ns)
    if size == 0.0:
        return Drive(max(-limit_ppb, min(limit_ppb, rest)), None)
    # comparisons spelt out: this is done for each packet
    tau = interval_s if interval_s < _QUICK_S else _QUICK_S
    if _SHARE * interval_s > tau:
        tau = _SHARE * interval_s
    cap = 2.0 * size / interval_s
    if cap > _USUAL_CAP_PPB:
        cap = _USUAL_CAP_PPB
    elif cap < _LEAST_CAP_PPB:
        cap = _LEAST_CAP_PPB
    if size / _FAR_S > cap:
        cap = size / _FAR_S
    v = size / tau
    if v > cap:
        v = cap
    if v > slew_limit_ppb:
        v = slew_limit_ppb
    taken = rest - v if phase_ns > 0 else rest + v
    if taken > limit_ppb:
        taken = limit_ppb
    elif taken < -limit_ppb:
        taken = -limit_ppb
    v = (rest - taken) if phase_ns > 0 else (taken - rest)
    if v <= 0.0:
        return Drive(taken, None)
    return Drive(taken, size / v)
