"""What is probably wrong in configurations of linuxptp, also where linuxptp says nothing.

``judge`` runs every rule over the configurations of one machine or of several that are to work together.
"""

from __future__ import annotations

from collections.abc import Sequence

from ptpstack.config.findings import ERROR, WARNING
from ptpstack.linuxptp.lint import (
    companions,
    network,
    profiles,
    roles,
    sections,
    security,
    servo,
    sets,
    stamps,
    unicast,
)
from ptpstack.linuxptp.lint.rule import RULES, Rule, Suspicion
from ptpstack.linuxptp.phc2sys import Phc2sys
from ptpstack.linuxptp.settings import Settings

__all__ = ["RULES", "Rule", "Suspicion", "judge"]
_MODULES = (sections, roles, stamps, servo, network, unicast, profiles, security, sets)
_ORDER = {ERROR: 0, WARNING: 1}


def judge(configurations: Sequence[Settings], phc2sys: Sequence[Phc2sys] = ()) -> list[Suspicion]:
    """Every suspicion, the worst first, then by file and line."""
    found = [suspicion for rule in RULES.values() for suspicion in rule.run(configurations)]
    found += companions.judge(configurations, phc2sys)
    return sorted(found, key=lambda s: (_ORDER.get(s.severity, 2), s.file, s.line or 0, s.rule))
