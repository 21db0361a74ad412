"""What the doctor can find: severities, the catalogue, and one finding.

Every kind of finding is declared once, beside the probe that makes it, by ``kind(...)``; the name of a kind is stable,
its words are not. ``CATALOGUE`` holds those of all modules imported so far (``examine.py`` imports all).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

ERROR = "error"
WARNING = "warning"
NOTE = "note"
OK = "ok"
#: worst first
SEVERITIES = (ERROR, WARNING, NOTE, OK)
#: more of the same help nobody: a flood of invented masters must not fill the screen
MAX_OF_A_KIND = 48


@dataclass(frozen=True, slots=True)
class Finding:
    """``subject``: what it is about (``eth1``, ``eth1 domain 0``, ``/dev/ptp0``); ``evidence``: what was seen."""

    id: str
    severity: str
    subject: str
    title: str
    evidence: str
    advice: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Unseen:
    """What was not looked at, why, and how to see it."""

    what: str
    why: str
    how: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Kind:
    """A row of the catalogue; called, it makes a finding."""

    id: str
    severity: str
    title: str
    advice: str

    def __call__(
        self, subject: str, evidence: str, *, severity: str | None = None, advice: str | None = None
    ) -> Finding:
        return Finding(self.id, severity or self.severity, subject, self.title, evidence, advice or self.advice)


#: id -> kind, in the order of declaration
CATALOGUE: dict[str, Kind] = {}


def kind(id_: str, severity: str, title: str, advice: str = "") -> Kind:
    """Declare a kind of finding. ``advice`` may be empty where there is nothing to do."""
    if id_ in CATALOGUE:
        raise ValueError(f"two kinds of finding are called {id_}")
    if severity not in SEVERITIES:
        raise ValueError(f"{severity} is no severity")
    CATALOGUE[id_] = Kind(id_, severity, title, advice)
    return CATALOGUE[id_]


def by_severity(findings: list[Finding]) -> list[Finding]:
    """Worst first; what is equally bad keeps its order. Each once, and of one kind ``MAX_OF_A_KIND`` at most."""
    kept: list[Finding] = []
    of_kind: dict[tuple[str, str], int] = {}
    for finding in dict.fromkeys(findings):
        key = finding.id, finding.severity
        of_kind[key] = of_kind.get(key, 0) + 1
        if of_kind[key] <= MAX_OF_A_KIND:
            kept.append(finding)
    for (id_, severity), number in of_kind.items():
        if number > MAX_OF_A_KIND:
            like = next(f for f in kept if (f.id, f.severity) == (id_, severity))
            kept.append(replace(like, subject="others", evidence=f"{number - MAX_OF_A_KIND} more like these"))
    return sorted(kept, key=lambda finding: SEVERITIES.index(finding.severity))


def exit_code(findings: list[Finding]) -> int:
    """0: notes at most; 1: warnings; 3: errors. (2 is a wrong command line, as everywhere.)"""
    worst = {finding.severity for finding in findings}
    return 3 if ERROR in worst else 1 if WARNING in worst else 0


def some(things: list[str], limit: int = 4) -> str:
    """``a, b, c, d and 3 more``."""
    return ", ".join(things[:limit]) + (f" and {len(things) - limit} more" if len(things) > limit else "")
