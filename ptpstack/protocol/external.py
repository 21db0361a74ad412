"""External port configuration (IEEE 1588-2019 17.6, not checked against the text): each port does what it was told.

1. Every port has a desired state, and a state table with nothing else in it: no election, no timeout moves it.
2. A port that shall follow takes the best master heard on it, from its first Announce on; else it listens.
3. A port that shall serve does so at once: with the time of the port that follows, else with our own.
"""

from __future__ import annotations

from collections.abc import Sequence

from ptpstack.protocol.comparison import Candidate
from ptpstack.protocol.decision import Decision
from ptpstack.protocol.options import InstanceOptions, PortOptions
from ptpstack.protocol.state_decision import NOT_DECIDED, PortView, Recommendation, best_of, inputs_of
from ptpstack.protocol.states import CLIENT_ONLY, PASSIVE_ONLY, SERVER_ONLY, StateTable

#: externalPortConfigurationPortDS.desiredState -> the table that leads there
DESIRED_STATES: dict[str, StateTable] = {"master": SERVER_ONLY, "slave": CLIENT_ONLY, "passive": PASSIVE_ONLY}

_TOLD = "another desired_state; or external_port_configuration switched off"


class External:
    threshold = 1

    def __init__(self, options: InstanceOptions) -> None:
        self._desired = {number: port.desired_state for number, port in enumerate(options.ports, 1)}
        unknown = set(self._desired.values()) - set(DESIRED_STATES)
        if unknown:
            raise ValueError(
                f"instance {options.name}: external port configuration needs a desired state for every port, one of "
                f"{', '.join(DESIRED_STATES)}; not {', '.join(repr(state) for state in sorted(unknown))}"
            )
        if options.client_only or any(port.server_only for port in options.ports):
            raise ValueError(f"instance {options.name}: desired states leave no room for client-only and server-only")

    def table(self, port: PortOptions) -> StateTable:
        return DESIRED_STATES[port.desired_state]

    def best_of(self, candidates: Sequence[Candidate]) -> Candidate | None:
        return best_of(candidates)

    def decide(self, own: Candidate, ports: Sequence[PortView]) -> tuple[Candidate | None, list[Recommendation]]:
        followed = [p.best for p in ports if self._desired[p.number] == "slave" and p.best is not None]
        ebest = best_of(followed)
        return ebest, [self._decide_port(own, p, ebest) for p in ports if p.state not in NOT_DECIDED]

    def _decide_port(self, own: Candidate, port: PortView, ebest: Candidate | None) -> Recommendation:
        def answer(code: str, reason: str, would_change: str = _TOLD) -> Recommendation:
            decision = Decision(f"external-{desired}", reason, inputs_of(own, port, ebest), (), would_change)
            return Recommendation(port.number, code, decision)

        desired = self._desired[port.number]
        if desired == "master":
            return answer("M2", "its desired state is master: it serves whatever others announce")
        if desired == "passive":
            return answer("P1", "its desired state is passive: it neither serves nor follows")
        # P1 sends the port of a CLIENT_ONLY table back to LISTENING
        if port.best is None:
            return answer(
                "P1", "its desired state is slave, but no Announce is heard on it", "an Announce of any master"
            )
        if port.best != ebest:
            # 9.2.2.1: one port of an instance follows
            return answer("P1", "its desired state is slave, but another port with that state hears a better master")
        return answer("S1", f"its desired state is slave: it follows master {port.best.label}, good or bad")
