"""ptpstack beside ptp4l on the hardware rig: true errors of both, under the same conditions, in the same run."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
EPILOG = """\
scenarios:
  clean-l2, clean-udp4, clean-udp6
                         ideal stamps and wires: each of both as grandmaster and as client
  noisy-l2, noisy-udp4   stamps of 8 ns resolution and 20 ns noise, oscillators that wander 1e-9 a second
  clean-l2-p2p, noisy-l2-p2p, noisy-udp4-p2p
                         the same with peer delay
  software-udp4          the client steers the guest's own system clock by the kernel's software stamps

All pairs of a scenario run at the same time, each on ports and clocks of its own. The error is the client's clock
minus its grandmaster's, from the rig's truth, about twice a second after the time to settle. What ptpstack does is what
its defaults say: no setting here is chosen for the rig.

examples:
  python -m tools.hil.compare                                  everything (about ten minutes)
  python -m tools.hil.compare --only clean-l2 --measure 60
  python -m tools.hil.compare --only noisy-l2 --json > noisy.json

exit status: 0 measured, 1 a program ended or the guest failed
"""
#: grandmaster, client
BOTH_WAYS = (("ptp4l", "ptpstack"), ("ptpstack", "ptp4l"), ("ptp4l", "ptp4l"), ("ptpstack", "ptpstack"))
OSCILLATORS = {"gm/osc_ppt": 7_000_000, "oc/osc_ppt": -20_000_000}
NOISE = {"phc/ts_res_ns": 8, "phc/ts_noise_ns": 20, "phc/wander_ppt": 1000}


def hardware(
    name: str, transport: str, knobs: dict[str, int], near_ns: int, delay: str = "E2E", one_step: str = ""
) -> dict[str, Any]:
    """``one_step``: who is to send one-step, ``gm``."""
    common = {"transport": transport, "stamping": "hardware", "delay": delay, "one_step": one_step}
    pairs = [{"gm": gm, "oc": oc, **common} for gm, oc in BOTH_WAYS]
    return {"name": name, "pairs": pairs, "knobs": OSCILLATORS | knobs, "near_ns": near_ns}


def software(client: str) -> dict[str, Any]:
    """One after the other: there is one system clock."""
    pair = {"gm": "ptp4l", "oc": client, "transport": "udp4", "stamping": "software"}
    # No wire: the kernel stamps a frame that it receives when it is handed over, not when it would have come.
    knobs = {"gm/osc_ppt": 7_000_000, "gm/wander_ppt": 10_000, "port/delay_ns": 0}
    return {"name": "software-udp4", "pairs": [pair], "knobs": knobs, "near_ns": 20_000, "software": True, "slow": 4}


SCENARIOS: dict[str, list[dict[str, Any]]] = {
    "clean-l2": [hardware("clean-l2", "l2", {}, 10)],
    "clean-udp4": [hardware("clean-udp4", "udp4", {}, 10)],
    "clean-udp6": [hardware("clean-udp6", "udp6", {}, 10)],
    "noisy-l2": [hardware("noisy-l2", "l2", NOISE, 200)],
    "noisy-udp4": [hardware("noisy-udp4", "udp4", NOISE, 200)],
    "clean-l2-p2p": [hardware("clean-l2-p2p", "l2", {}, 10, "P2P")],
    "noisy-l2-p2p": [hardware("noisy-l2-p2p", "l2", NOISE, 200, "P2P")],
    "noisy-udp4-p2p": [hardware("noisy-udp4-p2p", "udp4", NOISE, 200, "P2P")],
    "one-step-l2": [hardware("one-step-l2", "l2", {}, 10, one_step="gm")],
    "one-step-udp4": [hardware("one-step-udp4", "udp4", {}, 10, one_step="gm")],
    "one-step-udp6": [hardware("one-step-udp6", "udp6", {}, 10, one_step="gm")],
    "one-step-l2-p2p": [hardware("one-step-l2-p2p", "l2", {}, 10, "P2P", one_step="gm")],
    "one-step-udp4-p2p": [hardware("one-step-udp4-p2p", "udp4", {}, 10, "P2P", one_step="gm")],
    "software-udp4": [software("ptp4l"), software("ptpstack")],
}


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.hil.compare",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS), metavar="SCENARIO")
    parser.add_argument(
        "--settle", type=float, default=60.0, metavar="S", help="before errors count (60; software: x 4)"
    )
    parser.add_argument("--measure", type=float, default=120.0, metavar="S", help="how long they are looked at (120)")
    parser.add_argument("--json", action="store_true", help="JSON, with every error")
    parser.add_argument("--timeout", type=int, default=1800, metavar="S", help="host time to give up after (1800)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    options = build_parser().parse_args(argv)
    plans = [
        # filters for software stamps are slow
        plan
        | {
            "settle_s": options.settle * (4 if plan.get("software") else 1),
            "measure_s": options.measure,
            "keep": options.json,
        }
        for name in options.only
        for plan in SCENARIOS[name]
    ]
    with tempfile.TemporaryDirectory(prefix="compare-") as folder:
        plan, result = Path(folder) / "plan.json", Path(folder) / "result.json"
        plan.write_text(json.dumps(plans))
        command = [str(HERE / "run"), "--share", folder, "--timeout", str(options.timeout), "--"]
        command += [sys.executable, "-m", "tools.hil.contest", str(plan), str(result)]
        status = subprocess.run(command, stdout=sys.stderr, check=False).returncode
        if status or not result.exists():
            print(f"compare: the guest's part failed (exit status {status}); what it said is above", file=sys.stderr)
            return 1
        found = json.loads(result.read_text())
    print(json.dumps(found, indent=2) if options.json else table(found))
    return 0


def table(found: dict[str, Any]) -> str:
    """One line for each pair; errors in ns."""
    rows = [("SCENARIO", "GRANDMASTER", "CLIENT", "LOCK s", "RMS", "MEAN", "P95", "MAX", "BOUND", "HELD", "SERVO")]
    for scenario in found["scenarios"]:
        for o in scenario["outcomes"]:
            numbers = [f"{o[key]:.1f}" for key in ("rms", "mean", "p95", "max")]
            lock = "never" if o["lock_s"] is None else f"{o['lock_s']:.1f}"
            bound = "-" if o["bound_ns"] is None else f"{o['bound_ns']:.0f}"
            held = "-" if o["inside"] is None else f"{o['inside']:.1%}"
            names = (scenario["name"], o["grandmaster"], o["client"])
            rows.append((*names, lock, *numbers, bound, held, o["servo"] or "-"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    versions = found["versions"]
    return "\n".join([*lines, "", f"true error in ns; ptp4l {versions['ptp4l']}, Linux {versions['linux']}"])


if __name__ == "__main__":
    sys.exit(main())
