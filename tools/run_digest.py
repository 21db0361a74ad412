"""A digest of what a campus does: two builds of the same code (interpreted, compiled) must print the same.

``python -m tools.run_digest [--nodes N] [--seconds S]``: for each servo, a hash over the error and the frequency of
every clock, every five seconds, over all events and over all counters.
"""

from __future__ import annotations

import argparse
import hashlib
import sys

from ptpstack.engine.wiring import SERVOS
from ptpstack.servo.options import ServoOptions
from ptpstack.sim.campus import build_campus


def digest(servo: str, nodes: int, seconds: int, seed: int = 3) -> str:
    campus = build_campus(nodes, seed, servo=ServoOptions(type=servo))
    seen = hashlib.sha256()
    for until_s in range(5, seconds + 1, 5):
        campus.world.run(float(until_s))
        for node in campus.nodes:
            for name, clock in node.clocks.items():
                seen.update(f"{until_s} {node.name} {name} {clock.error_sns()} {clock.frequency_ppb()}".encode())
    for node in campus.nodes:
        counters = [sorted(p.counters.items()) for i in node.engine.instances.values() for p in i.ports]
        seen.update(repr((node.name, node.events, counters)).encode())
    return seen.hexdigest()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, default=80)
    parser.add_argument("--seconds", type=int, default=75, help="simulated (default 75)")
    options = parser.parse_args(arguments)
    for servo in SERVOS:
        print(servo, digest(servo, options.nodes, options.seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
