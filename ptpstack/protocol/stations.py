"""Which station is behind which port of a bridge, as far as it was heard of lately."""

from __future__ import annotations

from typing import Generic, TypeVar

MAX_STATIONS = 4096
#: For how long it is believed that a station is where it was heard.
STATION_NS = 300_000_000_000

Station = TypeVar("Station", bytes, str)


class Stations(Generic[Station]):
    def __init__(self) -> None:
        #: station -> (port, when it was heard); insertion order is age
        self._heard: dict[Station, tuple[str, int]] = {}

    def heard(self, station: Station, port: str, now: int) -> None:
        self._heard.pop(station, None)
        self._heard[station] = (port, now)
        if len(self._heard) > MAX_STATIONS:
            del self._heard[next(iter(self._heard))]

    def port_of(self, station: Station, now: int) -> str | None:
        """None: it may be anywhere."""
        known = self._heard.get(station)
        return known[0] if known is not None and now - known[1] < STATION_NS else None

    def forget(self, port: str) -> None:
        """Who was heard there may be anywhere now."""
        self._heard = {station: seen for station, seen in self._heard.items() if seen[0] != port}
