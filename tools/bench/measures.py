"""The measurements. Each takes subjects and plain parameters and returns rows; rounds are interleaved."""

from __future__ import annotations

import contextlib
import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tools.bench import procfs
from tools.bench.peer import ANNOUNCE, SYNC, Asker, Listener
from tools.bench.subjects import PEER_INTERFACE, REPOSITORY, BenchError, Running, Subject, running

MIB = 1 << 20
Say = Callable[[str], None]


@dataclass
class Row:
    """One figure: per subject the values of all rounds. ``target``: what ptpstack, or its ratio, must not exceed."""

    name: str
    unit: str
    values: dict[str, list[float]] = field(default_factory=dict)
    target: float | None = None
    target_is_ratio: bool = False
    detail: dict[str, Any] = field(default_factory=dict)

    def add(self, subject: str, value: float) -> None:
        self.values.setdefault(subject, []).append(value)

    def median(self, subject: str) -> float | None:
        values = self.values.get(subject)
        return statistics.median(values) if values else None

    @property
    def ratio(self) -> float | None:
        ours, theirs = self.median("ptpstack"), self.median("ptp4l")
        return ours / theirs if ours is not None and theirs else None

    @property
    def met(self) -> bool | None:
        value = self.ratio if self.target_is_ratio else self.median("ptpstack")
        return None if value is None or self.target is None else value <= self.target


def cores() -> tuple[int, int]:
    """(for the subject, for the peer): apart when there are two."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


@contextlib.contextmanager
def _on(cpu: int) -> Any:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def answering(subjects: list[Subject], rounds: int, seconds: float, rates: list[int], say: Say) -> list[Row]:
    """CPU microseconds for each Delay_Req answered. Rate 0 is a flood."""
    subject_cpu, peer_cpu = cores()
    rows = {
        rate: Row(
            f"CPU per Delay_Req answered, {f'{rate}/s' if rate else 'flood'}", "us", target=1.3, target_is_ratio=True
        )
        for rate in rates
    }
    duration_ns = int(seconds * 1e9)
    with contextlib.ExitStack() as stack:
        pairs: list[tuple[Running, Asker]] = []
        for subject in subjects:
            run = stack.enter_context(running(subject, cpu=subject_cpu))
            asker = Asker(run.peer, PEER_INTERFACE)
            stack.callback(asker.close)
            pairs.append((run, asker))
        for run, asker in pairs:
            if not asker.wait_for_service(20):
                run.check()
                raise BenchError(f"{run.subject.name} answered no Delay_Req within 20 s")
        stack.enter_context(_on(peer_cpu))
        for number in range(rounds):
            for rate, row in rows.items():
                for run, asker in pairs if number % 2 == 0 else pairs[::-1]:
                    run.check()
                    answered, cpu, at = asker.answered(), run.cpu_ns(), time.monotonic_ns()
                    sent = asker.paced(rate, duration_ns) if rate else asker.flood(duration_ns)
                    passed = (time.monotonic_ns() - at) / 1e9
                    asker.settle()
                    cpu = run.cpu_ns() - cpu
                    count = asker.answered() - answered
                    if not count:
                        raise BenchError(f"{run.subject.name} stopped answering (round {number + 1}, {row.name})")
                    name = run.subject.name
                    row.add(name, cpu / 1000 / count)
                    row.detail.setdefault(f"{name} answers/s", []).append(round(count / passed))
                    if sent:
                        row.detail.setdefault(f"{name} answered share", []).append(round(count / sent, 4))
            say(f"answering: round {number + 1} of {rounds}")
    return list(rows.values())


def memory(subjects: list[Subject], after_s: float, say: Say) -> list[Row]:
    """Resident and proportional memory of a grandmaster that has served for ``after_s``."""
    rss = Row(f"resident memory after {after_s:g} s", "MiB", target=45.0)
    pss = Row(f"proportional memory (PSS) after {after_s:g} s", "MiB")
    with contextlib.ExitStack() as stack:
        runs = [stack.enter_context(running(subject)) for subject in subjects]
        time.sleep(after_s)
        for run in runs:
            run.check()
            values = procfs.memory_octets(run.pid)
            rss.add(run.subject.name, values["rss"] / MIB)
            pss.add(run.subject.name, values["pss"] / MIB)
    say("memory: done")
    return [rss, pss]


def first_announce(subjects: list[Subject], rounds: int, say: Say) -> list[Row]:
    """From the start of the process to its first Announce on the wire; ptp4l with its default waiting."""
    row = Row("process start to first Announce", "s", target=0.7)
    for number in range(rounds):
        for subject in subjects:
            with running(subject, quick_election=False) as run:
                listener = Listener(run.peer, PEER_INTERFACE, 320)
                try:
                    stamp = listener.first(ANNOUNCE, 20)
                finally:
                    listener.close()
                if stamp is None:
                    run.check()
                    raise BenchError(f"{subject.name} sent no Announce within 20 s")
                row.add(subject.name, (stamp - run.started_ns) / 1e9)
        say(f"first Announce: round {number + 1} of {rounds}")
    return [row]


def lateness(
    subjects: list[Subject], rounds: int, seconds: float, log_interval: int, real_time: bool, say: Say
) -> list[Row]:
    """How far each Sync is from the grid it should be on, by the kernel's stamps at the peer.

    The grid runs through the earliest Sync of the round, so lateness is never negative. Its interval is the sender's
    own (the straight line through its Syncs); how far that is from the right one is ``interval too long``: a sender
    that sets each timer when the last has fired adds its reaction time to every interval. ``interval error`` is how far
    each interval is from the right one. ``real_time``: under SCHED_FIFO, so that the neighbours do not count.
    """
    per_s = f"{2**-log_interval:g} Sync/s" + (", SCHED_FIFO" if real_time else "")
    names = {
        "p50": Row(f"lateness p50 at {per_s}", "us"),
        "p99": Row(f"lateness p99 at {per_s}", "us", target=1000.0),
        "drift": Row(f"interval too long at {per_s}", "ppm"),
        "interval p99": Row(f"interval error p99 at {per_s}", "us"),
        "cpu": Row(f"CPU at {per_s}", "% of a core"),
    }
    interval_ns = int(2**log_interval * 1e9)
    with contextlib.ExitStack() as stack:
        pairs = []
        for subject in subjects:
            run = stack.enter_context(running(subject, log_sync_interval=log_interval, real_time=real_time))
            listener = Listener(run.peer, PEER_INTERFACE, 319)
            stack.callback(listener.close)
            pairs.append((run, listener))
        for run, listener in pairs:
            if listener.first(SYNC, 20) is None:
                run.check()
                raise BenchError(f"{run.subject.name} sent no Sync within 20 s")
        for number in range(rounds):
            for run, listener in pairs:
                for _ in listener.frames(0.2):
                    pass  # what queued up while the other one was measured
                cpu, at = run.cpu_ns(), time.monotonic_ns()
                syncs = [
                    (int.from_bytes(octets[30:32], "big"), stamp)
                    for stamp, octets in listener.frames(seconds)
                    if octets[0] & 0x0F == SYNC
                ]
                names["cpu"].add(run.subject.name, 100 * (run.cpu_ns() - cpu) / (time.monotonic_ns() - at))
                late, errors, drift_ppm = grid_lateness(syncs, interval_ns)
                names["drift"].add(run.subject.name, drift_ppm)
                names["p50"].add(run.subject.name, quantile(late, 0.5) / 1000)
                names["p99"].add(run.subject.name, quantile(late, 0.99) / 1000)
                names["interval p99"].add(run.subject.name, quantile(errors, 0.99) / 1000)
            say(f"lateness: round {number + 1} of {rounds}")
    return list(names.values())


def grid_lateness(syncs: list[tuple[int, int]], interval_ns: int) -> tuple[list[float], list[float], float]:
    """Of (sequenceId, stamp ns): lateness of each against the sender's own grid, ns; distance of each interval from the
    right one, ns; how much longer the sender's interval is than the right one, ppm.
    """
    if len(syncs) < 20:
        raise BenchError(f"only {len(syncs)} Syncs were heard: too few to say anything of their times")
    first = syncs[0][0]
    # sequenceId tells the place on the grid, also when a Sync was lost
    places = [(sequence - first) & 0xFFFF for sequence, _ in syncs]
    # from the first one on: a float does not hold ns since 1970
    start = syncs[0][1]
    offsets = [stamp - start - place * interval_ns for place, (_, stamp) in zip(places, syncs, strict=True)]
    errors = [float(abs(b - a)) for a, b in itertools.pairwise(offsets)]
    # medians of both ends: one Sync that was held up must not tilt the line
    tenth = len(syncs) // 10
    begin, end = statistics.median(offsets[:tenth]), statistics.median(offsets[-tenth:])
    slope = (end - begin) / (statistics.median(places[-tenth:]) - statistics.median(places[:tenth]))
    left = [offset - slope * place for place, offset in zip(places, offsets, strict=True)]
    earliest = min(left)
    return [x - earliest for x in left], errors, slope / interval_ns * 1e6


def quantile(values: list[float], share: float) -> float:
    """The value that ``share`` of ``values`` do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def imports(rounds: int, say: Say) -> list[Row]:
    """What starting costs before anything is done: the interpreter alone, and with all that a grandmaster imports."""
    wall = Row("start-up: imports of ptpstack gm, wall", "ms")
    cpu = Row("start-up: imports of ptpstack gm, CPU", "ms")
    detail: dict[str, Any] = {}
    load = "import ptpstack.cli.main, ptpstack.cli.run, ptpstack.node.run"
    count = "import resource, sys; print(len(sys.modules), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    for _ in range(rounds):
        taken = {}
        for name, code in (("bare", "pass"), ("loaded", load)):
            before, at = os.times(), time.monotonic()
            subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
            after = os.times()
            used = after.children_user + after.children_system - before.children_user - before.children_system
            taken[name] = (time.monotonic() - at, used)
        for row, which in ((wall, 0), (cpu, 1)):
            row.add("ptpstack", 1000 * (taken["loaded"][which] - taken["bare"][which]))
            row.detail.setdefault("bare interpreter ms", []).append(round(1000 * taken["bare"][which], 1))
    for name, code in (("bare", count), ("loaded", f"{load}; {count}")):
        result = subprocess.run(
            [sys.executable, "-c", code], cwd=REPOSITORY, check=True, capture_output=True, text=True
        )
        modules, rss_kib = map(int, result.stdout.split())
        detail |= {f"{name} modules": modules, f"{name} MiB": round(rss_kib / 1024, 1)}
    wall.detail |= detail
    say("imports: done")
    return [wall, cpu]


def may_real_time() -> bool:
    """Whether a child may run under SCHED_FIFO here."""
    code = "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))"
    return subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL, check=False).returncode == 0


def others_load() -> float:
    """The machine's load average over a minute: what else disturbed the figures."""
    return os.getloadavg()[0]
