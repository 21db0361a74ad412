"""State decision algorithm (IEEE 1588-2019 9.3.3, figure 33; not checked against the text), as a pure function.

``compare`` is the comparison of the BMCA variant. The LISTENING test is the one of 2008 (a port that hears nobody keeps
listening), which is also what public stacks do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ptpstack.protocol.comparison import Candidate, Comparator, Comparison, compare
from ptpstack.protocol.decision import Decision
from ptpstack.wire.types import PortState

#: codes of figure 33
GRANDMASTER_CODES = ("M1", "M2")
NOT_DECIDED = (PortState.INITIALIZING, PortState.FAULTY, PortState.DISABLED)


class PortView(NamedTuple):
    """What the algorithm needs to know of one port. ``best`` is Erbest; None for server-only ports."""

    number: int
    state: PortState
    best: Candidate | None
    #: everybody who may be compared on this port, the best included
    candidates: tuple[Candidate, ...] = ()


class Recommendation(NamedTuple):
    port: int
    #: M1, M2, M3, P1, P2, S1, or "" for no recommendation
    code: str
    decision: Decision


def best_of(candidates: Sequence[Candidate], compare: Comparator = compare) -> Candidate | None:
    """Ebest of all Erbest. Equal data sets keep the earlier, so the lower port number."""
    best: Candidate | None = None
    for candidate in candidates:
        if best is None or compare(candidate, best).a_better:
            best = candidate
    return best


def decide(
    own: Candidate, ports: Sequence[PortView], compare: Comparator = compare
) -> tuple[Candidate | None, list[Recommendation]]:
    """Ebest, and a recommendation for every port that takes part, from one consistent set."""
    ebest = best_of([p.best for p in ports if p.best is not None], compare)
    heard = [c for p in ports for c in p.candidates]
    return ebest, [_decide_port(own, p, ebest, heard, compare) for p in ports if p.state not in NOT_DECIDED]


def inputs_of(own: Candidate, port: PortView, ebest: Candidate | None) -> dict[str, object]:
    return {
        "D0": describe(own),
        "Erbest": None if port.best is None else describe(port.best),
        "Ebest": None if ebest is None else describe(ebest),
    }


def _decide_port(
    own: Candidate, port: PortView, ebest: Candidate | None, heard: Sequence[Candidate], compare: Comparator
) -> Recommendation:
    def answer(code: str, reason: str, lost: tuple[str, ...], would_change: str) -> Recommendation:
        return Recommendation(
            port.number, code, Decision(code or "none", reason, inputs_of(own, port, ebest), lost, would_change)
        )

    erbest = port.best
    if erbest is None and port.state is PortState.LISTENING:
        return answer(
            "",
            "nobody qualified is heard on this port yet, so it keeps listening",
            (),
            "two Announces of one master inside four announce intervals, or the announce receipt timeout",
        )
    if 1 <= own.quality.clock_class <= 127:
        if erbest is None:
            return answer("M1", "class 1..127 and no other master on this port", (), "a better master on this port")
        comparison = compare(own, erbest)
        sentence = comparison.sentence("our own clock", f"master {erbest.label}")
        if comparison.a_better:
            return answer(
                "M1", f"class 1..127: {sentence}", (_lost(erbest, comparison),), _wins("that master", comparison)
            )
        return answer(
            "P1",
            f"class 1..127 never follows by PTP, and {sentence}: stay silent",
            (_lost(own, comparison, "our own clock"),),
            f"{_wins('our own clock', comparison)}; or that master falling silent",
        )
    if ebest is None:
        return answer("M2", "no other master is heard on any port", (), "a better master on any port")
    comparison = compare(own, ebest)
    sentence = comparison.sentence("our own clock", f"master {ebest.label}")
    if comparison.a_better:
        return answer("M2", sentence, (_lost(ebest, comparison),), _wins("that master", comparison))
    if erbest is not None and ebest == erbest and ebest.receiver == erbest.receiver:
        rivals = [(c, compare(ebest, c)) for c in heard if c.sender != ebest.sender]
        beaten = "; ".join(r.sentence(f"it ({ebest.label})", f"master {c.label}") for c, r in rivals[:3])
        return answer(
            "S1",
            f"the best master is heard on this port; {sentence}" + (f"; {beaten}" if beaten else ""),
            (_lost(own, comparison, "our own clock"), *(_lost(c, r) for c, r in rivals)),
            f"{_wins('our own clock or another', comparison)}; or that master falling silent",
        )
    if erbest is not None:
        path = compare(ebest, erbest)
        if path.rank > 0 and path.by_topology:
            return answer(
                "P2",
                f"{'the same' if ebest.grandmaster == erbest.grandmaster else 'an equal'} grandmaster is heard here by "
                "a worse path; serving would close a loop: "
                + path.sentence(f"port {ebest.receiver.port_number}", f"port {port.number}"),
                (_lost(erbest, path),),
                "the better path being lost, or this one becoming the better",
            )
        return answer(
            "M3",
            "the best master is heard on another port and this port's best is worse: "
            + path.sentence(f"master {ebest.label}", f"master {erbest.label}"),
            (_lost(erbest, path),),
            "a master better than ours on this port",
        )
    return answer(
        "M3",
        f"the best master is heard on port {ebest.receiver.port_number}; nobody better here, so serve its time",
        (),
        "a better master on this port",
    )


def describe(candidate: Candidate) -> dict[str, object]:
    local = {} if candidate.local_priority == 128 else {"localPriority": candidate.local_priority}
    return {
        "grandmasterIdentity": candidate.label,
        "priority1": candidate.priority1,
        "clockClass": candidate.quality.clock_class,
        "clockAccuracy": f"0x{candidate.quality.clock_accuracy:02x}",
        "offsetScaledLogVariance": f"0x{candidate.quality.offset_scaled_log_variance:04x}",
        "priority2": candidate.priority2,
        **local,
        "stepsRemoved": candidate.steps_removed,
        "sender": str(candidate.sender),
        "receiver": str(candidate.receiver),
    }


def _lost(candidate: Candidate, comparison: Comparison, name: str = "") -> str:
    return f"{name or f'master {candidate.label}'}, which loses at {comparison.step}"


def _wins(who: str, comparison: Comparison) -> str:
    return f"{who} winning at {comparison.step} or at an earlier step"
