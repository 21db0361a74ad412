"""How long a second of each domain's master is in seconds of our own clock (IEEE 1588-2019 12.1, not checked).

A transparent clock need not be set, nor steered: it counts how long a frame was inside, and for that only the length of
its second matters.
"""

from __future__ import annotations

from dataclasses import dataclass

from ptpstack.timebase.units import SNS_PER_S

#: The ratio is taken over this time at least, and not over much more: oscillators wander.
WINDOW_SNS = 16 * SNS_PER_S
#: What is farther off is no oscillator.
MAX_DEVIATION = 1e-3
MAX_DOMAINS = 256


@dataclass(slots=True)
class _Master:
    source: bytes
    #: (sent, received) at the beginning of the window, and of the next one
    begin: tuple[int, int]
    middle: tuple[int, int]
    #: master's seconds in one of ours, less 1
    deviation: float | None = None


class Syntonisation:
    def __init__(self) -> None:
        self._masters: dict[bytes, _Master] = {}

    def saw(self, domain: bytes, source: bytes, sent_sns: int, received_sns: int) -> None:
        """A Sync of ``source``: when it was sent by the master's clock, when it came in by ours (2**-16 ns)."""
        here = (sent_sns, received_sns)
        master = self._masters.get(domain)
        if master is None or master.source != source:
            if master is None and len(self._masters) >= MAX_DOMAINS:
                del self._masters[next(iter(self._masters))]
            self._masters[domain] = _Master(source, here, here, None if master is None else master.deviation)
            return
        elapsed = received_sns - master.begin[1]
        if elapsed < 0 or sent_sns < master.begin[0]:
            master.begin = master.middle = here
            return
        if elapsed < WINDOW_SNS:
            return
        deviation = (sent_sns - master.begin[0] - elapsed) / elapsed
        if abs(deviation) < MAX_DEVIATION:
            master.deviation = deviation
        else:
            # one of the two clocks was set
            master.begin = master.middle = here
            return
        if received_sns - master.middle[1] >= WINDOW_SNS:
            master.begin, master.middle = master.middle, here

    def scaled(self, domain: bytes, interval_sns: int) -> int:
        """An interval of our clock in the master's seconds; as it is while the ratio is not known."""
        master = self._masters.get(domain)
        if master is None or master.deviation is None:
            return interval_sns
        return interval_sns + round(interval_sns * master.deviation)

    def status(self) -> list[dict[str, object]]:
        """Domain, master and how much faster its seconds are (ppb), JSON-ready."""
        return [
            {
                "domain": domain[2],
                "sdo_id": (domain[0] >> 4) << 8 | domain[1],
                "master": m.source.hex("-"),
                "rate_ppb": None if m.deviation is None else m.deviation * 1e9,
            }
            for domain, m in self._masters.items()
        ]
