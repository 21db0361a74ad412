"""What the filter tells the servo after an observation."""

from __future__ import annotations

from typing import NamedTuple

from ptpstack.servo.estimator.startup import Fit


class Outlook(NamedTuple):
    """What is believed now: at ``t`` (s) the free clock has this phase (ns) and frequency (ppb), the real one is off by
    ``offset`` (ns). ``fit``: it is still the line of a start.
    """

    t: float
    phase: float
    frequency: float
    offset: float
    fit: Fit | None
