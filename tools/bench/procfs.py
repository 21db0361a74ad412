"""What the kernel says: CPU time and memory of a process, and frames lost between namespaces."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def cpu_ns(pid: int) -> int:
    """CPU time of all threads that live, ns (schedstat: not rounded to ticks)."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError):
            total += int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
    return total


def memory_octets(pid: int) -> dict[str, int]:
    """Rss and Pss now, and the highest Rss so far, in octets."""
    values = {}
    for file, wanted in (("smaps_rollup", {"Rss:": "rss", "Pss:": "pss"}), ("status", {"VmHWM:": "rss_peak"})):
        for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
            words = line.split()
            if words and words[0] in wanted:
                values[wanted[words[0]]] = int(words[1]) * 1024
    return values


def backlog_drops() -> int:
    """Frames lost since boot because a core's queue of received frames was full (net.core.netdev_max_backlog)."""
    return sum(int(line.split()[1], 16) for line in Path("/proc/net/softnet_stat").read_text().splitlines())
