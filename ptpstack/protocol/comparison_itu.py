"""Data set comparison of the alternate BMCA (ITU-T G.8275.1 and G.8275.2 6.3.7; not checked against the text).

1. priority1 has no part in it; localPriority, which nobody transmits, comes after priority2.
2. Among clocks of class 127 or better the nearer one wins, whoever its grandmaster is: several may be active at once.
"""

from __future__ import annotations

from ptpstack.protocol.comparison import (
    Candidate,
    Comparison,
    compare_grandmasters,
    compare_paths,
    compare_steps,
    quality_steps,
)

#: Worst clockClass of which several grandmasters may be active at once.
SEVERAL_ACTIVE_CLASS = 127


def compare_itu(a: Candidate, b: Candidate) -> Comparison:
    """Which of two candidates is better. The identity of the grandmaster is no short cut here."""
    decided = compare_steps((*quality_steps(a, b), ("localPriority", a.local_priority, b.local_priority)))
    if decided is not None:
        return decided
    if a.quality.clock_class <= SEVERAL_ACTIVE_CLASS or a.grandmaster == b.grandmaster:
        return compare_paths(a, b)
    return compare_grandmasters(a, b)
