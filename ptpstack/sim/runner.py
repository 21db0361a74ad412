"""Run a scenario: look at the true error at fixed instants, ask the servo what it believes, make figures of both.

1. Nothing that is measured here is fed back: a run with other samples is the same run.
2. An estimate is about the followed grandmaster's clock. Through boundary clocks it is the sum of the estimates on the
   way; the statistical bounds add as squares, the systematic ones as they are.
3. A grandmaster counts as followed once something has been measured from it, not when it is chosen.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from ptpstack.engine.discipline import Edge
from ptpstack.servo.base import Servo
from ptpstack.sim.figures import Outcome, Series, coverage_percent, figures_of
from ptpstack.sim.network import SimNode
from ptpstack.sim.scenario import Scenario
from ptpstack.sim.scene import Scene, build

#: While a clock is not yet locked it is looked at this often.
LOCK_STEP_S = 0.25
#: Locked is who stays within the limit for this long.
LOCK_STAY_S = 60.0
#: A forecast looks no further ahead than this.
FORECAST_END_S = 1e8


def run(scenario: Scenario, seed: int, servo: str | None = None, *, keep_series: bool = True) -> Outcome:
    """One seed. ``servo``: its type, None for the default. ``keep_series`` False: only the figures."""
    began = time.process_time()
    scene = build(scenario, seed, servo)
    watch = _Watch(scene)
    _sample(scene, watch)
    figures = figures_of(watch.series, scenario.stats_from_s)
    figures["lock_s"] = watch.lock_s
    figures["frequency_peak_ppb"] = watch.frequency_peak_ppb
    figures |= watch.holdover_figures()
    outcome = Outcome(
        scenario.name,
        servo or scenario.servo.type,
        seed,
        figures,
        sum(t > scenario.stats_from_s for t in watch.series.t_s),
        time.process_time() - began,
    )
    if keep_series:
        outcome.series = watch.series
        outcome.events = sorted([*scene.happened, *_told(scene.measured)])
    return outcome


def _sample(scene: Scene, watch: _Watch) -> None:
    scenario, world = scene.scenario, scene.world
    number = 0
    start_s = scenario.node(scenario.measured).start_s
    while True:
        at = number * scenario.sample_every_s + scenario.sample_phase_s
        number += 1
        if at > scenario.length_s:
            break
        while not watch.locked:
            # finer looks until it is locked
            look = max(world.elapsed_ns / 1e9 + LOCK_STEP_S, start_s)
            if look >= at:
                break
            world.run(look)
            watch.look_for_lock(look)
        world.run(at)
        watch.look_for_lock(at)
        watch.sample(at)


def _edge(node: SimNode) -> Edge:
    """The edge that steers the node's clock, or that will."""
    clock = node.engine.clocks["clock"]
    return clock.steering or clock.edges[0]


def _servo(node: SimNode) -> Servo:
    return _edge(node).servo


def _told(node: SimNode) -> list[tuple[float, str]]:
    """The node's own events that belong beside a plot of its error."""
    chosen = []
    for at, event in node.events:
        if event.kind == "clock-step":
            chosen.append((at, f"step {event.data['step_ns']:+.0f} ns"))
        elif event.kind == "parent":
            chosen.append((at, f"parent {event.data['new']}"))
        elif event.kind == "servo":
            chosen.append((at, f"servo {event.data['new']}"))
    return chosen


@dataclass(slots=True)
class _Followed:
    """Whom a node follows by the runner's rule 3."""

    master: str | None = None
    chosen: str | None = None
    measurements: int = 0


class _Watch:
    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.scenario = scenario = scene.scenario
        self.series = Series()
        self.frequency_peak_ppb = 0.0
        self.lock_s: float | None = None
        self._start_s = scenario.node(scenario.measured).start_s
        self._within_since: float | None = None
        self._by_identity = {
            instance.clock_identity: name
            for name, node in scene.nodes.items()
            for instance in node.engine.instances.values()
        }
        self._followed = {name: _Followed() for name in scene.nodes}
        node = scene.measured
        self._clock = node.clocks["clock"]
        node.on_frequency = self._command
        #: for the holdover: the oscillator's frequency at the loss, and the phase it has put in since without it
        self._held_ppb: float | None = None
        self._predictor_ns = 0.0
        self._last_ppb = 0.0
        self._forecast_s: float | None = None
        self._last_second: float | None = None

    # ---- lock -------------------------------------------------------------------------------------------------

    @property
    def locked(self) -> bool:
        return self.lock_s is not None

    def look_for_lock(self, at: float) -> None:
        if self.lock_s is not None or at < self._start_s:
            return
        if abs(self.scene.measured.error_ns()) >= self.scenario.lock_limit_ns:
            self._within_since = None
        elif self._within_since is None:
            self._within_since = at
        elif at - self._within_since >= LOCK_STAY_S:
            self.lock_s = self._within_since - self._start_s

    def _command(self, clock: str) -> None:
        if self.scene.world.elapsed_ns > self.scenario.stats_from_s * 1e9:
            self.frequency_peak_ppb = max(self.frequency_peak_ppb, abs(self._clock.true_frequency_ppb()))

    # ---- samples ----------------------------------------------------------------------------------------------

    def sample(self, at: float) -> None:
        scene, series = self.scene, self.series
        node = scene.measured
        error = node.error_ns()
        value: float | None = 0.0
        variance: float | None = 0.0
        systematic = 0.0
        now = scene.world.elapsed_ns
        for name in self._way_up(scene.scenario.measured):
            if not self._steered(name):
                # where the way ends: a grandmaster's clock that nothing steers, or one that has not begun yet
                root = scene.nodes[name]
                if scene.scenario.node(name).role != "grandmaster":
                    value = variance = None
                break
            estimate = _servo(scene.nodes[name]).estimate(now)
            root = scene.nodes[self._followed[name].master or name]
            if estimate is None:
                value = variance = None
                continue
            if value is not None:
                value += estimate.value_ns
            systematic += estimate.systematic_ns
            if estimate.statistical_ns is None:
                variance = None
            elif variance is not None:
                variance += estimate.statistical_ns**2
        reference = 0.0 if root is node else root.error_ns()
        series.t_s.append(at)
        series.error_ns.append(error)
        series.relative_ns.append(error - reference)
        series.estimate_ns.append(value)
        series.statistical_ns.append(None if variance is None else math.sqrt(variance))
        series.systematic_ns.append(None if value is None else systematic)
        series.frequency_ppb.append(self._clock.true_frequency_ppb())
        self._holdover(at)

    def _steered(self, name: str) -> bool:
        edges = self.scene.nodes[name].engine.clocks["clock"].edges
        return any(edge.measurements for edge in edges)

    def _way_up(self, name: str) -> list[str]:
        """The node and its masters, up to the grandmaster."""
        way = [name]
        while True:
            self._update(way[-1])
            master = self._followed[way[-1]].master
            if master is None or master in way:
                return way
            way.append(master)

    def _update(self, name: str) -> None:
        instances = self.scene.nodes[name].engine.instances
        if not instances:
            return
        parent = next(iter(instances.values())).data.parent.parent_port_identity
        chosen = self._by_identity.get(parent.clock_identity) if parent.port_number else None
        followed = self._followed[name]
        measurements = _edge(self.scene.nodes[name]).measurements
        if chosen is None or chosen == followed.master:
            # nobody to follow: the estimate is still about whom it followed last
            followed.chosen = chosen
        elif chosen != followed.chosen:
            followed.chosen, followed.measurements = chosen, measurements
        if chosen is not None and (followed.master is None or measurements > followed.measurements):
            followed.master = chosen

    # ---- holdover ---------------------------------------------------------------------------------------------

    def _holdover(self, at: float) -> None:
        holdover = self.scenario.holdover
        if holdover is None or not holdover.from_s <= at <= holdover.to_s:
            return
        if self._held_ppb is None or self._last_second is None:
            self._held_ppb = self._clock.oscillator_ppb()
            if holdover.limit_ns:
                self._forecast_s = self._time_to(holdover.limit_ns)
        else:
            # the frequency of the stretch that has just passed is that of its last second; exact for steps of 1 s
            self._predictor_ns += (self._last_ppb - self._held_ppb) * (at - self._last_second)
        self._last_second = at
        self._last_ppb = self._clock.oscillator_ppb()

    def _time_to(self, limit_ns: float) -> float | None:
        """When the bound will have grown to the limit, by what the servo says of the future now; s from now."""
        servo, now = _servo(self.scene.measured), self.scene.world.elapsed_ns

        low, high = 0.0, 1.0
        while (reached := servo.bound_after(high, now)) is not None and reached < limit_ns:
            low, high = high, high * 2.0
            if high > FORECAST_END_S:
                return None
        if reached is None:
            return None
        while high - low > 1e-3 * high:
            middle = (low + high) / 2.0
            reached = servo.bound_after(middle, now)
            low, high = (middle, high) if reached is not None and reached < limit_ns else (low, middle)
        return high

    def holdover_figures(self) -> dict[str, float | None]:
        holdover, series = self.scenario.holdover, self.series
        if holdover is None or self._held_ppb is None:
            return {}
        chosen = [i for i, t in enumerate(series.t_s) if holdover.from_s <= t <= holdover.to_s]
        figures: dict[str, float | None] = {
            "holdover_ns": series.error_ns[chosen[-1]],
            "holdover_bound_ns": series.statistical_ns[chosen[-1]],
            "predictor_ns": self._predictor_ns,
            "holdover_coverage_percent": coverage_percent(series, chosen, whole=False),
        }
        limit = holdover.limit_ns
        if limit and self._forecast_s is not None:
            for name, values in (("forecast_ratio", series.statistical_ns), ("reached_ratio", series.error_ns)):
                when = next((series.t_s[i] for i in chosen if abs(values[i] or 0.0) >= limit), None)
                figures[name] = None if when is None else self._forecast_s / max(when - holdover.from_s, 1e-9)
        return figures
