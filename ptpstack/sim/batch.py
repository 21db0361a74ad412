"""Many runs: scenarios x servos x seeds, in one process or in several, with word of the progress."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass

from ptpstack.sim.figures import Outcome
from ptpstack.sim.runner import run
from ptpstack.sim.scenario import Scenario

#: told after each run: how many are done, of how many, which was the last
Progress = Callable[[int, int, Outcome], None]


@dataclass(frozen=True, slots=True)
class Job:
    scenario: Scenario
    seed: int
    servo: str | None


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_all(
    scenarios: Sequence[Scenario],
    servos: Sequence[str | None],
    seeds: Sequence[int],
    *,
    jobs: int = 1,
    progress: Progress | None = None,
) -> dict[tuple[str, str | None], list[Outcome]]:
    """Outcomes (figures only) by scenario and servo, in the order of the seeds."""
    todo = [Job(scenario, seed, servo) for scenario in scenarios for servo in servos for seed in seeds]
    found: dict[tuple[str, str | None], list[Outcome]] = {(s.name, v): [] for s in scenarios for v in servos}
    for done, (job, outcome) in enumerate(_outcomes(todo, min(jobs, len(todo))), 1):
        found[(job.scenario.name, job.servo)].append(outcome)
        if progress is not None:
            progress(done, len(todo), outcome)
    for outcomes in found.values():
        outcomes.sort(key=lambda outcome: outcome.seed)
    return found


def _one(job: Job) -> Outcome:
    return run(job.scenario, job.seed, job.servo, keep_series=False)


def _outcomes(todo: list[Job], jobs: int) -> Iterator[tuple[Job, Outcome]]:
    if jobs <= 1:
        for job in todo:
            yield job, _one(job)
        return
    # who interrupts us interrupts the workers too: they are to go at once, without a word
    with ProcessPoolExecutor(jobs, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_DFL)) as pool:
        pending: dict[Future[Outcome], Job] = {pool.submit(_one, job): job for job in todo}
        try:
            while pending:
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    yield pending.pop(future), future.result()
        finally:
            # whoever stops listening does not want the rest
            for future in pending:
                future.cancel()
