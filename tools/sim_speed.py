"""How fast the simulator is: simulated seconds in a second of computing, for two nodes at one Sync a second.

``python -m tools.sim_speed [seconds]``. Exit status 1 below the goal of 3000. A figure of the machine as much as of the
code, which is why it is a tool and not a test.
"""

from __future__ import annotations

import sys
import time

from ptpstack.sim.scenario_file import load_scenario
from ptpstack.sim.scene import build

GOAL = 3000.0


def measure(simulated_s: float) -> tuple[float, float]:
    """(simulated seconds per second, events per second), in processor time: other programs do not count."""
    scene = build(load_scenario("a1"), seed=1)
    began = time.process_time()
    scene.world.run(simulated_s)
    took = time.process_time() - began
    return simulated_s / took, scene.world.events / took


def main(arguments: list[str]) -> int:
    simulated_s = float(arguments[0]) if arguments else 4000.0
    seconds, events = max(measure(simulated_s) for _ in range(3))
    print(f"{seconds:,.0f} simulated seconds and {events:,.0f} events per second (best of three, goal {GOAL:,.0f} s)")
    return 0 if seconds >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
