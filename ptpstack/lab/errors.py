"""The errors of this room. Each says what is wrong, where, and what to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a topology file. ``path`` is like ``host[1].link[0].to``."""

    path: str
    reason: str
    fix: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}. {self.fix}"


class TopologyError(ValueError):
    """A topology file that cannot be run; carries every problem found, not only the first."""

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        self.source = source
        self.problems = problems
        super().__init__(f"{source}: " + "; ".join(str(problem) for problem in problems))


class LabError(RuntimeError):
    """The lab could not be set up or run on this machine."""
