"""neighborRateRatio: how fast the neighbour's clock runs against ours, from the Pdelay exchanges themselves.

IEEE 1588-2019 11.4.2; not checked against the text. The ratio of what both clocks count between two Pdelay_Resp, as
far apart as the window reaches. It corrects the turnaround of an exchange: 10 ms of it at 100 ppm are 500 ns of delay.
"""

from __future__ import annotations

from collections import Counter, deque

from ptpstack.timebase.units import SNS_PER_S

#: exchanges in the window
WINDOW = 8
#: They have to cover this much: stamps of 1 us are then worth 1 ppm.
SPAN_SNS = SNS_PER_S
#: No clock is this far off: one of both was set in between.
MOST = 1e-3


class NeighborRate:
    def __init__(self, counters: Counter[str]) -> None:
        self._counters = counters
        #: (t3 on the neighbour's clock, t4 on ours), oldest first
        self._window: deque[tuple[int, int]] = deque(maxlen=WINDOW)
        #: neighbour / own; 1.0 while it is not known
        self.ratio = 1.0
        self.known = False

    def clear(self) -> None:
        """Another neighbour, or a clock was stepped."""
        self._window.clear()
        self.ratio = 1.0
        self.known = False

    def add(self, t3_sns: int, t4_sns: int) -> None:
        """A Pdelay_Resp left the neighbour at ``t3_sns`` of its clock and came here at ``t4_sns`` of ours."""
        window = self._window
        if window:
            first_t3, first_t4 = window[0]
            span = t4_sns - first_t4
            if span >= SPAN_SNS:
                ratio = (t3_sns - first_t3) / span
                if abs(ratio - 1.0) > MOST:
                    self._counters["neighbor-rate-implausible"] += 1
                    self.clear()
                else:
                    self.ratio = ratio
                    self.known = True
            elif span <= 0:
                self.clear()
        window.append((t3_sns, t4_sns))


def scaled_rate_ratio(ratio: float) -> int:
    """scaledNeighborRateRatio (16.6.5): (ratio - 1) * 2**41, within Integer32."""
    return max(-(1 << 31), min((1 << 31) - 1, round((ratio - 1.0) * (1 << 41))))
