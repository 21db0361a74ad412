"""How much traffic the software bridge passes: frames and bits per second through one process, in namespaces.

    python -m tools.bridge_speed [--seconds 3]

A sender stands on one side, in the same process, which costs the bridge half of its speed. Needs root (namespaces). The
figures are of this machine in this hour.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import sys
import threading
import time

from ptpstack.net.bridge import Bridge, open_bridge_port
from tests.netns import namespaces, veth


def measure(seconds: float, size: int) -> dict[str, float]:
    with namespaces("bridge", "a", "b") as ns:
        bridge = Bridge(time.monotonic_ns)
        ports = []
        for number, name in enumerate("ab", 1):
            veth(ns["bridge"], "p" + name, ns[name], "v" + name, f"10.99.{number}.9/24", f"10.8.0.{number}/24")
            with ns["bridge"].entered():
                ports.append(open_bridge_port(bridge, "p" + name, stamping="software"))
        where = {fd: port for port in ports for fd in port.receive_filenos()}
        ended = threading.Event()

        def send() -> None:
            with ns["a"].entered():
                sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            payload = bytes(size)
            while not ended.is_set():
                sock.sendto(payload, ("10.8.0.2", 5000))

        thread = threading.Thread(target=send)
        thread.start()
        cpu = time.thread_time()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for fd in select.select(list(where), [], [], 0.01)[0]:
                where[fd].receive(fd, 64)
        cpu = time.thread_time() - cpu
        ended.set()
        thread.join()
        passed = sum(port.counters()["passed"] for port in ports)
        for port in ports:
            port.close()
    return {"octets": size, "passed_per_s": passed / seconds, "us_of_cpu_per_frame": cpu / max(1, passed) * 1e6}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = [measure(options.seconds, size) for size in (64, 1400)]
    if options.json:
        json.dump(rows, sys.stdout, indent=2)
        return 0
    for row in rows:
        rate = row["passed_per_s"]
        print(
            f"{row['octets']:>5.0f} octets: {rate:>8.0f} frames/s, {rate * row['octets'] * 8 / 1e6:>6.0f} Mbit/s, "
            f"{row['us_of_cpu_per_frame']:.1f} us of CPU each"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
