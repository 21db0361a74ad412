"""Master selection of ITU-T G.8265.1 (6.7.3; not checked against the text): frequency only, no BMCA.

1. A server always serves; a client always follows, and never compares itself with its masters.
2. Masters are ranked by the quality level (QL) that their clockClass stands for, then by localPriority; among equals
   the one that is followed stays. A master that was lost and is back waits for wait_to_restore_s unless it is alone.
3. clockClass 110 (do not use), and any class without a QL, is never followed.
"""

from __future__ import annotations

from collections.abc import Sequence

from ptpstack.protocol.comparison import Candidate, Comparison, Rank, Standing, compare_steps
from ptpstack.protocol.options import InstanceOptions, PortOptions
from ptpstack.protocol.state_decision import PortView, Recommendation, best_of, decide
from ptpstack.protocol.states import CLIENT_ONLY, SERVER_ONLY, StateTable

#: clockClass -> quality levels of G.781 options I, II and III (table 1) [?]; "" where an option has none
QUALITY_LEVELS: dict[int, tuple[str, str, str]] = {
    80: ("", "QL-PRS", ""),
    82: ("", "QL-STU", "QL-UNK"),
    84: ("QL-PRC", "", ""),
    86: ("", "QL-ST2", ""),
    90: ("QL-SSU-A", "QL-TNC", ""),
    96: ("QL-SSU-B", "", ""),
    100: ("", "QL-ST3E", ""),
    102: ("", "QL-ST3/EEC2", ""),
    104: ("QL-SEC/EEC1", "", "QL-SEC"),
    106: ("", "QL-SMC", ""),
    108: ("", "QL-PROV", ""),
    110: ("QL-DNU", "QL-DUS", ""),
}
DO_NOT_USE = 110


def compare_8265(a: Candidate, b: Candidate) -> Comparison:
    """Which of two masters is better."""
    decided = compare_steps(
        (
            ("wait-to-restore", a.standing is Standing.RESTORING, b.standing is Standing.RESTORING),
            ("quality level (clockClass)", a.quality.clock_class, b.quality.clock_class),
            ("localPriority", a.local_priority, b.local_priority),
            ("current master", a.standing, b.standing),
        )
    )
    if decided is not None:
        return decided
    if a.sender == b.sender:
        return Comparison(Rank.SAME, "the same master", a.sender, b.sender)
    return Comparison(Rank.A_BETTER if a.sender < b.sender else Rank.B_BETTER, "sender", a.sender, b.sender)


class Selection8265:
    threshold = 2

    def __init__(self, options: InstanceOptions) -> None:
        self._client_only = options.client_only

    def table(self, port: PortOptions) -> StateTable:
        return CLIENT_ONLY if self._client_only else SERVER_ONLY

    def best_of(self, candidates: Sequence[Candidate]) -> Candidate | None:
        usable = [c for c in candidates if c.quality.clock_class in QUALITY_LEVELS.keys() - {DO_NOT_USE}]
        return best_of(usable, compare_8265)

    def decide(self, own: Candidate, ports: Sequence[PortView]) -> tuple[Candidate | None, list[Recommendation]]:
        # D0 of a client has class 255: it loses against every usable master, also against one that still has to wait.
        # That of a server meets nobody.
        return decide(own._replace(standing=Standing.RESTORING), ports, compare_8265)
