"""Performance monitoring (IEEE 1588-2019 Annex J, not checked against the text): what an instance measured, by quarter.

1. Four parameters: delay from master to slave and back as measured, mean path delay and offset as the servo has them.
2. A quarter is 900 s of the steady clock from when the instance first followed; 96 are kept, and two days of 24 h.
3. It watches and changes nothing. Corrections count as they came; a step of the clock ends no quarter: the figures
   shall show it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ptpstack.engine.discipline import Edge
from ptpstack.protocol.effects import DelayMeasured, Effect, SyncMeasured
from ptpstack.protocol.instance import Instance
from ptpstack.timebase.units import SNS_PER_S

if TYPE_CHECKING:
    from ptpstack.engine.wiring import Wiring

PERIOD_NS = 900_000_000_000
PERIODS_PER_DAY = 96
#: of recordList: the current quarter, 96 before it, today, the day before
CURRENT, FIRST, TODAY, YESTERDAY = 0, 1, 97, 98
PARAMETERS = ("master_slave_delay", "slave_master_delay", "mean_path_delay", "offset_from_master")

_SNS_PER_NS = 65_536.0


class Figures:
    """Count, mean, least, most and deviation of values, without keeping them (ns)."""

    __slots__ = ("_m2", "count", "least", "mean", "most")

    def __init__(self) -> None:
        self.count = 0
        self.mean = self._m2 = 0.0
        self.least, self.most = math.inf, -math.inf

    def add(self, value: float) -> None:
        self.count += 1
        delta = value - self.mean
        self.mean += delta / self.count
        self._m2 += delta * (value - self.mean)
        self.least, self.most = min(self.least, value), max(self.most, value)

    def join(self, other: Figures) -> None:
        """What both have seen."""
        if not other.count:
            return
        total = self.count + other.count
        delta = other.mean - self.mean
        self._m2 += other._m2 + delta * delta * self.count * other.count / total
        self.mean += delta * other.count / total
        self.count = total
        self.least, self.most = min(self.least, other.least), max(self.most, other.most)

    def as_dict(self) -> dict[str, float] | None:
        """None while there is nothing (0x7FFFFFFFFFFFFFFF on the wire)."""
        if not self.count:
            return None
        deviation = math.sqrt(max(0.0, self._m2) / self.count)
        return {"average": self.mean, "minimum": self.least, "maximum": self.most, "std_dev": deviation}


class Period:
    __slots__ = ("complete", "figures", "started_ns", "whole")

    def __init__(self, started_ns: int) -> None:
        self.started_ns = started_ns
        self.figures = {name: Figures() for name in PARAMETERS}
        #: it has ended, and was followed through
        self.complete = False
        #: quarters in it
        self.whole = 1

    def join(self, other: Period) -> None:
        for name, figures in self.figures.items():
            figures.join(other.figures[name])
        self.whole += 1

    def record(self, index: int, now: int) -> dict[str, Any]:
        values = {name: figures.as_dict() for name, figures in self.figures.items()}
        return {
            "index": index,
            "age_s": (now - self.started_ns) / 1e9,
            "valid": any(value is not None for value in values.values()),
            "complete": self.complete,
            "samples": {name: figures.count for name, figures in self.figures.items()},
            **values,
        }


class PerformanceMonitor:
    """performanceMonitoringDS of one instance. ``edge_of_port`` gives the edge that a port measures for."""

    def __init__(
        self, instance: Instance, edge_of_port: Callable[[int], Edge], arb_offset_s: Callable[[Instance, int], int]
    ) -> None:
        self._instance = instance
        self._edge_of_port = edge_of_port
        self._arb_offset_s = arb_offset_s
        self._forget()

    def _forget(self) -> None:
        self._current: Period | None = None
        self._history: deque[Period] = deque(maxlen=PERIODS_PER_DAY)
        self._day: Period | None = None
        self._yesterday: Period | None = None

    def saw(self, effect: Effect, now: int) -> None:
        """Something that the instance has measured, after the servo was told of it."""
        if isinstance(effect, SyncMeasured):
            figures = self._at(now).figures
            t1 = effect.t1_sns + self._arb_sns(effect.t1_sns)
            figures["master_slave_delay"].add((effect.t2_sns - t1 - effect.correction_sns) / _SNS_PER_NS)
            servo = self._edge_of_port(effect.port).servo
            estimate = servo.estimate(now)
            if estimate is not None:
                figures["offset_from_master"].add(estimate.value_ns)
            delay = servo.path_delay_ns()
            if delay is not None:
                figures["mean_path_delay"].add(delay)
        elif isinstance(effect, DelayMeasured):
            t4 = effect.t4_sns + self._arb_sns(effect.t4_sns)
            value = (t4 - effect.t3_sns - effect.correction_sns) / _SNS_PER_NS
            self._at(now).figures["slave_master_delay"].add(value)

    def _arb_sns(self, at_sns: int) -> int:
        if self._instance.data.time_properties.ptp_timescale:
            return 0
        return self._arb_offset_s(self._instance, at_sns // SNS_PER_S) * SNS_PER_S

    def _at(self, now: int) -> Period:
        """The quarter of ``now``; quarters that have ended go to the history."""
        if self._current is not None and now - self._current.started_ns >= (PERIODS_PER_DAY + 1) * PERIOD_NS:
            # nothing was measured for more than a day: there is nothing to go on from
            self._forget()
        if self._current is None:
            self._current = Period(now)
        while now - self._current.started_ns >= PERIOD_NS:
            ended, self._current = self._current, Period(self._current.started_ns + PERIOD_NS)
            ended.complete = True
            self._history.appendleft(ended)
            self._keep_day(ended)
        return self._current

    def _keep_day(self, quarter: Period) -> None:
        if self._day is None:
            self._day = Period(quarter.started_ns)
            self._day.whole = 0
        self._day.join(quarter)
        if self._day.whole == PERIODS_PER_DAY:
            self._day.complete = True
            self._yesterday, self._day = self._day, None

    def records(self, now: int) -> list[dict[str, Any]]:
        """recordList: index 0 the current quarter, 1..96 those before it, 97 the current day, 98 the one before."""
        if self._current is None:
            return []
        found = [self._at(now).record(CURRENT, now)]
        found += [period.record(FIRST + n, now) for n, period in enumerate(self._history)]
        today = Period(self._current.started_ns if self._day is None else self._day.started_ns)
        for part in (self._day, self._current):
            if part is not None:
                today.join(part)
        found.append(today.record(TODAY, now))
        if self._yesterday is not None:
            found.append(self._yesterday.record(YESTERDAY, now))
        return found


def performance(engine: Wiring, instance: str | None, now: int) -> list[dict[str, Any]]:
    """What the monitored instances have measured. ValueError when ``instance`` is given and is none of them."""
    if instance is not None and instance not in engine.instances:
        raise ValueError(f"there is no instance {instance}; there are: {', '.join(engine.instances)}")
    if instance is not None and instance not in engine.monitors:
        raise ValueError(f"instance {instance} is not monitored; give it performance_monitoring = true")
    names = engine.monitors if instance is None else (instance,)
    return [{"name": name, "records": engine.monitors[name].records(now)} for name in names]
