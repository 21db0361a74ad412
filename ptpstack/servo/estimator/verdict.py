"""What a run of packets was taken to mean, as it is told to people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ptpstack.servo.estimator.direction import Direction


@dataclass(frozen=True, slots=True)
class Verdict:
    """``reason``: a sentence; ``inputs``: its figures; ``code``: what has changed:

    ``delay``, ``step``    the path: in both directions; in one alone, or phase and delay at once
    ``noise``, ``calm``    the noise: more of it; less, since what was taken for noise is a floor elsewhere, or wander
    ``clock``, ``line``    the clock or its master: opposite signs; packets on a new straight line
    ``physics``            nothing: an impossible estimate was taken back to what packets allow
    ``open``               not known: phase and frequency are open
    ``lost``, ``restart``  all begins anew: an estimate that had been proven, or a start that had not
    ``set``                the clock: somebody else has set it
    ``neighbor``           what is taken from peer delay: the neighbour's stamps are of its Syncs' clock, or are not
    """

    code: str
    reason: str
    inputs: dict[str, Any] = field(default_factory=dict)


def name(direction: Direction) -> str:
    return {1: "master-to-slave", -1: "slave-to-master", 0: "peer delay"}[direction.side]
