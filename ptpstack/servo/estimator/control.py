"""From an estimate to commands: take the phase away quickly, then run with the frequency that is known.

After a packet the command is ``-f`` less a slew ``v`` for as long as the phase needs; then ``-f`` alone. Small phases
go within a tenth of an interval (which is what keeps a chain of clocks quiet), large ones as fast as a cap allows:

    v = min(|phase| / tau, cap),   tau = max(0.1 T, min(T, 0.05 s))
    cap = max(50 ppb, min(2 |phase| / T, 2.5 ppm), |phase| / 4 s), never above the slew limit.

There is no integrator, so nothing winds up and nothing overshoots.
"""

from __future__ import annotations

from dataclasses import dataclass

_QUICK_S = 0.05
_SHARE = 0.1
_LEAST_CAP_PPB = 50.0
_USUAL_CAP_PPB = 2_500.0
_FAR_S = 4.0


@dataclass(frozen=True, slots=True)
class Drive:
    frequency_ppb: float
    #: s from now after which the frequency alone is to be set, if no packet comes before; None: it is set already
    ends_in_s: float | None


def drive(phase_ns: float, frequency_ppb: float, interval_s: float, limit_ppb: float, slew_limit_ppb: float) -> Drive:
    """What to tell the clock. ``frequency_ppb``: that of the free clock; ``limit_ppb``: the clock's range."""
    rest = -frequency_ppb
    size = abs(phase_ns)
    if size == 0.0:
        return Drive(max(-limit_ppb, min(limit_ppb, rest)), None)
    tau = max(_SHARE * interval_s, min(interval_s, _QUICK_S))
    cap = max(_LEAST_CAP_PPB, min(2.0 * size / interval_s, _USUAL_CAP_PPB), size / _FAR_S)
    v = min(size / tau, cap, slew_limit_ppb)
    wanted = rest - v if phase_ns > 0 else rest + v
    taken = max(-limit_ppb, min(limit_ppb, wanted))
    v = (rest - taken) if phase_ns > 0 else (taken - rest)
    if v <= 0.0:
        return Drive(taken, None)
    return Drive(taken, size / v)
