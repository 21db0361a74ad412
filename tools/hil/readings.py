"""How wrong a reading of a PHC against the system clock is: the narrowest sandwich, the plain mean, ptpstack's burst.

Runs in the rig's guest, where the truth is known; see docs/hil.md.

    tools/hil/run -- .venv/bin/python -m tools.hil.readings
    tools/hil/run -- .venv/bin/python -m tools.hil.readings --samples 9 --json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

from ptpstack.clocks import phc_abi as abi
from ptpstack.clocks.base import CrossReading
from ptpstack.clocks.burst import Burst
from ptpstack.clocks.phc import LinuxPhc

RIG = Path("/sys/kernel/debug/hilptp")
#: bus delay either side, more of it at random either side by itself, noise of the register; ns
CONDITIONS = (
    (0, 0, 0),
    (500, 0, 0),
    (0, 0, 10),
    (1000, 0, 10),
    (0, 200, 0),
    (500, 1000, 0),
    (500, 1000, 10),
    (500, 100, 30),
    (5000, 20000, 0),
)


class Reader(LinuxPhc):
    def sandwiches(self, samples: int) -> list[abi.Sandwich]:
        argument = abi.request_with_samples(samples, abi.EXTENDED_OCTETS)
        return list(abi.unpack_extended(self._ioctl(abi.SYS_OFFSET_EXTENDED2, abi.SYS_OFFSET_EXTENDED, argument)))


def true_offset_ns() -> int:
    """PHC 0 minus CLOCK_REALTIME, of one instant."""
    words = dict(line.split(maxsplit=1) for line in (RIG / "snapshot").read_text().splitlines())
    return int(words["phc0"].split()[2]) - int(words["real"])


def error_ns(reading: CrossReading, offset_ns: int) -> float:
    return (reading.clock_sns - ((reading.realtime_ns + offset_ns) << 16)) / 65536


def measure(clock: Reader, samples: int, bursts: int) -> dict[str, float]:
    """Standard deviation of each way's error and their common bias (ns), bound coverage and mean bound of ours.

    The bias is the emulated driver's: it takes longer before the register is read than after.
    """
    learning = Burst()
    errors: dict[str, list[float]] = {"shortest": [], "mean": [], "burst": []}
    inside, bounds = 0, 0.0
    for number in range(bursts):
        time.sleep(0.01)
        before = true_offset_ns()
        raw = clock.sandwiches(samples)
        after = true_offset_ns()
        ours = learning.combine(raw, "extended")
        if number < 32 or abs(after - before) > 2:
            continue  # learning; a clock was steered meanwhile
        # in integers: a float holds today's time to 256 ns only
        every = {s: (2 * (s.phc_ns - before) - s.before_ns - s.after_ns) / 2 for s in raw}
        errors["shortest"].append(every[min(raw, key=lambda s: s.after_ns - s.before_ns)])
        errors["mean"].append(sum(every.values()) / len(every))
        errors["burst"].append(error_ns(ours, before))
        inside += abs(errors["burst"][-1]) <= ours.bound_ns
        bounds += ours.bound_ns
    count = len(errors["burst"])
    result = {way: statistics.pstdev(found) for way, found in errors.items()}
    learnt = {"learnt_noise": learning.noise_ns, "share": learning.share}
    bias = statistics.fmean(errors["mean"])
    return result | learnt | {"bias": bias, "inside": inside / count, "bound": bounds / count}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], epilog=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=5, help="readings in a burst (5)")
    parser.add_argument("--bursts", type=int, default=400)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if not RIG.exists():
        print("there is no rig here: run this with tools/hil/run (docs/hil.md)", file=sys.stderr)
        return 1
    clock = Reader("/dev/ptp0", writable=False)
    rows = []
    for delay, jitter, noise in CONDITIONS:
        for name, value in (("read_delay_ns", delay), ("read_jitter_ns", jitter), ("read_noise_ns", noise)):
            (RIG / "phc0" / name).write_text(str(value))
        rows.append({"delay": delay, "jitter": jitter, "noise": noise, **measure(clock, args.samples, args.bursts)})
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    print(
        "ns: bus delay  jitter  noise   error of: shortest    mean   burst   bias   bound  inside  learnt noise  share"
    )
    for row in rows:
        print(
            f"{row['delay']:13d} {row['jitter']:7d} {row['noise']:6d} {row['shortest']:20.2f} {row['mean']:7.2f} "
            f"{row['burst']:7.2f} {row['bias']:6.1f} {row['bound']:7.1f} {row['inside']:7.2%} "
            f"{row['learnt_noise']:13.2f} {row['share']:6.2f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
