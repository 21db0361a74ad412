"""BMCA variants by the name that a profile gives: who is better, and what each port is told to do.

1. A variant judges and changes nothing: the same views give the same answer.
2. What a variant forbids a port is missing from that port's state table; the election knows no variant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ptpstack.protocol.comparison import Candidate, Comparator, compare
from ptpstack.protocol.comparison_itu import compare_itu
from ptpstack.protocol.external import External
from ptpstack.protocol.options import InstanceOptions, PortOptions
from ptpstack.protocol.selection_8265 import Selection8265
from ptpstack.protocol.state_decision import PortView, Recommendation, best_of, decide
from ptpstack.protocol.states import CLIENT_ONLY, FULL, SERVER_ONLY, StateTable

#: FOREIGN_MASTER_THRESHOLD (9.3.2.4)
FOREIGN_MASTER_THRESHOLD = 2


class Bmca(Protocol):
    #: Announces inside the window that make a foreign master count
    threshold: int

    def table(self, port: PortOptions) -> StateTable:
        """The state machine of one port."""

    def best_of(self, candidates: Sequence[Candidate]) -> Candidate | None:
        """Erbest of what is heard on one port."""

    def decide(self, own: Candidate, ports: Sequence[PortView]) -> tuple[Candidate | None, list[Recommendation]]:
        """Ebest, and what every port that takes part is told."""


class ByComparison:
    """State decision by figure 33; what differs between variants is the comparison of data sets."""

    threshold = FOREIGN_MASTER_THRESHOLD

    def __init__(self, options: InstanceOptions, compare: Comparator = compare) -> None:
        self._client_only = options.client_only
        self._compare = compare

    def table(self, port: PortOptions) -> StateTable:
        return CLIENT_ONLY if self._client_only else SERVER_ONLY if port.server_only else FULL

    def best_of(self, candidates: Sequence[Candidate]) -> Candidate | None:
        return best_of(candidates, self._compare)

    def decide(self, own: Candidate, ports: Sequence[PortView]) -> tuple[Candidate | None, list[Recommendation]]:
        return decide(own, ports, self._compare)


def _priority_vectors(options: InstanceOptions) -> Bmca:
    from ptpstack.protocol.gptp.priority_vectors import PriorityVectors

    return PriorityVectors(options)


#: the variants; ValueError from one whose options do not fit
BMCA: dict[str, Callable[[InstanceOptions], Bmca]] = {
    "default": ByComparison,
    "itu-alternate": lambda options: ByComparison(options, compare_itu),
    "g8265.1": Selection8265,
    "external": External,
    "802.1AS": _priority_vectors,
}
