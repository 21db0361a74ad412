"""How fast the simulator is: two nodes at one Sync a second, and a campus of 500 nodes.

``python -m tools.sim_speed [--json] [--servo TYPE] [--jobs N]``. Exit status 1 below a goal. Figures of the machine as
much as of the code, which is why it is a tool and not a test. Processor time is counted, so that other programs hardly
matter; of several processes that of the busiest, which is what an otherwise idle machine takes.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass

from ptpstack.servo.options import ServoOptions
from ptpstack.sim.batch import usable_cores
from ptpstack.sim.campus import build_campus
from ptpstack.sim.scenario_file import load_scenario
from ptpstack.sim.scene import build
from ptpstack.sim.world import World

#: the campus is measured between these instants: everybody works from the first on
FROM_S, TO_S = 40.0, 100.0


@dataclass(frozen=True, slots=True)
class Speed:
    name: str
    processes: int
    #: simulated seconds in a second of processor time, best of the rounds
    simulated_s_per_s: float
    events_per_s: float
    #: None: shown for comparison
    goal: float | None
    rounds: int


def took(world: World, from_s: float, to_s: float) -> tuple[float, int]:
    """(processor time in s, events) between two instants."""
    world.run(from_s)
    events = world.events
    began = time.process_time()
    world.run(to_s)
    return time.process_time() - began, world.events - events


def two_nodes(servo: str | None, rounds: int = 3) -> Speed:
    scenario = load_scenario("a1")
    seconds, events = min(took(build(scenario, 1, servo).world, 0.0, scenario.length_s) for _ in range(rounds))
    return Speed("two nodes, 1/s", 1, scenario.length_s / seconds, events / seconds, 3000.0, rounds)


def _part(nodes: int, servo: str | None, part: int, parts: int) -> tuple[float, int]:
    options = ServoOptions() if servo is None else ServoOptions(type=servo)
    world = build_campus(nodes, servo=options, part=part, parts=parts).world
    # what has been built stays: the collector need not look through it again and again
    gc.collect()
    gc.freeze()
    return took(world, FROM_S, TO_S)


def campus(nodes: int, servo: str | None, jobs: int, goal: float | None, rounds: int = 3) -> Speed:
    best = (float("inf"), 0)
    with ProcessPoolExecutor(jobs) as pool:
        for _ in range(rounds):
            parts = [pool.submit(_part, nodes, servo, part, jobs) for part in range(jobs)]
            measured = [part.result() for part in parts]
            best = min(best, (max(seconds for seconds, _ in measured), sum(events for _, events in measured)))
    seconds, events = best
    return Speed(f"campus of {nodes} nodes, 1/s", jobs, (TO_S - FROM_S) / seconds, events / seconds, goal, rounds)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--servo", help="servo type (default: what a node uses)")
    parser.add_argument("--nodes", type=int, default=500, help="of the campus (default 500)")
    parser.add_argument("--jobs", type=int, default=usable_cores(), help="processes for the campus (default: cores)")
    options = parser.parse_args(arguments)
    speeds = [two_nodes(options.servo)]
    if options.jobs > 1:
        speeds.append(campus(options.nodes, options.servo, 1, None))
    speeds.append(campus(options.nodes, options.servo, options.jobs, 20.0))
    if options.json:
        print(json.dumps([asdict(speed) for speed in speeds], indent=2))
    else:
        for s in speeds:
            goal = "" if s.goal is None else f", goal {s.goal:,.0f}"
            processes = f"{s.processes} process{'es' if s.processes > 1 else ''}"
            print(
                f"{s.name:25} {processes:12} {s.simulated_s_per_s:8,.1f} simulated s, {s.events_per_s:8,.0f} events "
                f"per second (best of {s.rounds}{goal})"
            )
    return 0 if all(s.goal is None or s.simulated_s_per_s >= s.goal for s in speeds) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
