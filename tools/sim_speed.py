"""How fast the simulator is: two nodes at one Sync a second, and a campus of 500 nodes.

``python -m tools.sim_speed [--json] [--servo TYPE]``. Exit status 1 below a goal. Figures of the machine as much as of
the code, which is why it is a tool and not a test.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass

from ptpstack.sim.campus import build_campus
from ptpstack.sim.scenario_file import load_scenario
from ptpstack.sim.scene import build
from ptpstack.sim.world import World


@dataclass(frozen=True, slots=True)
class Speed:
    name: str
    #: simulated seconds in a second of processor time, best of the rounds
    seconds: float
    events: float
    goal: float
    rounds: int


def measure(world: World, from_s: float, to_s: float) -> tuple[float, float]:
    """(simulated seconds, events) per second of processor time, between two instants: other programs do not count."""
    world.run(from_s)
    events = world.events
    began = time.process_time()
    world.run(to_s)
    took = time.process_time() - began
    return (to_s - from_s) / took, (world.events - events) / took


def two_nodes(servo: str | None, rounds: int = 3) -> Speed:
    scenario = load_scenario("a1")
    best = max(measure(build(scenario, 1, servo).world, 0.0, 4000.0) for _ in range(rounds))
    return Speed("two nodes, 1/s", *best, goal=3000.0, rounds=rounds)


def campus(nodes: int, rounds: int = 2) -> Speed:
    """From when all have begun to work."""
    best = max(measure(build_campus(nodes).world, 40.0, 100.0) for _ in range(rounds))
    return Speed(f"campus of {nodes} nodes, 1/s", *best, goal=20.0, rounds=rounds)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--servo", help="servo type of the two nodes (default: the engine's)")
    parser.add_argument("--nodes", type=int, default=500, help="of the campus (default 500)")
    options = parser.parse_args(arguments)
    speeds = [two_nodes(options.servo), campus(options.nodes)]
    if options.json:
        rows = [
            {"name": s.name, "simulated_s_per_s": s.seconds, "events_per_s": s.events, "goal": s.goal} for s in speeds
        ]
        print(json.dumps(rows, indent=2))
    else:
        for s in speeds:
            print(
                f"{s.name:26} {s.seconds:9,.1f} simulated seconds and {s.events:9,.0f} events per second of processor "
                f"time (best of {s.rounds}, goal {s.goal:,.0f})"
            )
    return 0 if all(s.seconds >= s.goal for s in speeds) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
