"""Port state machine as tables (IEEE 1588-2019 9.2, figures 30 and 31; not checked against the text).

The tables are the machine: the code looks events up here, the diagram in the documents is drawn from here, and the
tests walk every cell. An event that is not in the row of a state changes nothing (the port counts it).
"""

from __future__ import annotations

from enum import Enum

from ptpstack.wire.types import PortState

#: States in which a port takes time from its parent.
FOLLOWING = (PortState.UNCALIBRATED, PortState.SLAVE)
#: States in which Announce is evaluated (9.2.5).
ELECTING = (PortState.LISTENING, PortState.PRE_MASTER, PortState.MASTER, PortState.PASSIVE, *FOLLOWING)


class PortEvent(Enum):
    """9.2.6. RECOMMEND_* are the outcomes of a state decision event."""

    INITIALIZE = "initialize"
    INITIALIZED = "initialized"
    DESIGNATED_ENABLED = "designated-enabled"
    DESIGNATED_DISABLED = "designated-disabled"
    FAULT_DETECTED = "fault-detected"
    FAULT_CLEARED = "fault-cleared"
    RECOMMEND_GRANDMASTER = "recommend-grandmaster"  # M1, M2: qualification time 0
    RECOMMEND_MASTER = "recommend-master"  # M3
    RECOMMEND_SLAVE = "recommend-slave"  # S1, parent unchanged
    RECOMMEND_NEW_PARENT = "recommend-new-parent"  # S1, another parent
    RECOMMEND_PASSIVE = "recommend-passive"  # P1, P2
    ANNOUNCE_RECEIPT_TIMEOUT = "announce-receipt-timeout"
    QUALIFICATION_TIMEOUT = "qualification-timeout"
    SYNCHRONIZATION_FAULT = "synchronization-fault"
    MASTER_CLOCK_SELECTED = "master-clock-selected"
    NOT_CAPABLE = "not-as-capable"  # IEEE 802.1AS only


_S = PortState
_E = PortEvent

StateTable = dict[PortState, dict[PortEvent, PortState]]

_DOWN = {_E.DESIGNATED_DISABLED: _S.DISABLED, _E.FAULT_DETECTED: _S.FAULTY, _E.INITIALIZE: _S.INITIALIZING}

_COMMON: StateTable = {
    _S.INITIALIZING: {
        _E.INITIALIZE: _S.INITIALIZING,
        _E.INITIALIZED: _S.LISTENING,
        _E.FAULT_DETECTED: _S.FAULTY,
        _E.DESIGNATED_DISABLED: _S.DISABLED,
    },
    _S.FAULTY: {
        _E.INITIALIZE: _S.INITIALIZING,
        _E.FAULT_CLEARED: _S.INITIALIZING,
        _E.DESIGNATED_DISABLED: _S.DISABLED,
    },
    _S.DISABLED: {_E.INITIALIZE: _S.INITIALIZING, _E.DESIGNATED_ENABLED: _S.INITIALIZING},
}

_SLAVE_SIDE = {
    _E.RECOMMEND_GRANDMASTER: _S.MASTER,
    _E.RECOMMEND_MASTER: _S.PRE_MASTER,
    _E.RECOMMEND_PASSIVE: _S.PASSIVE,
    _E.ANNOUNCE_RECEIPT_TIMEOUT: _S.MASTER,
}


def _following(away: dict[PortEvent, PortState]) -> StateTable:
    """The rows of a port that follows a parent; ``away``: where it goes when it no longer does."""
    return {
        _S.UNCALIBRATED: {
            **_DOWN,
            **away,
            _E.RECOMMEND_SLAVE: _S.UNCALIBRATED,
            _E.RECOMMEND_NEW_PARENT: _S.UNCALIBRATED,
            _E.MASTER_CLOCK_SELECTED: _S.SLAVE,
        },
        _S.SLAVE: {
            **_DOWN,
            **away,
            _E.RECOMMEND_SLAVE: _S.SLAVE,
            _E.RECOMMEND_NEW_PARENT: _S.UNCALIBRATED,
            _E.SYNCHRONIZATION_FAULT: _S.UNCALIBRATED,
            _E.MASTER_CLOCK_SELECTED: _S.SLAVE,
        },
    }


FULL: StateTable = {
    **_COMMON,
    _S.LISTENING: {
        **_DOWN,
        **_SLAVE_SIDE,
        _E.RECOMMEND_SLAVE: _S.UNCALIBRATED,
        _E.RECOMMEND_NEW_PARENT: _S.UNCALIBRATED,
    },
    _S.PRE_MASTER: {
        **_DOWN,
        _E.RECOMMEND_GRANDMASTER: _S.MASTER,
        _E.RECOMMEND_MASTER: _S.PRE_MASTER,
        _E.RECOMMEND_SLAVE: _S.UNCALIBRATED,
        _E.RECOMMEND_NEW_PARENT: _S.UNCALIBRATED,
        _E.RECOMMEND_PASSIVE: _S.PASSIVE,
        _E.QUALIFICATION_TIMEOUT: _S.MASTER,
    },
    _S.MASTER: {
        **_DOWN,
        _E.RECOMMEND_GRANDMASTER: _S.MASTER,
        _E.RECOMMEND_MASTER: _S.MASTER,
        _E.RECOMMEND_SLAVE: _S.UNCALIBRATED,
        _E.RECOMMEND_NEW_PARENT: _S.UNCALIBRATED,
        _E.RECOMMEND_PASSIVE: _S.PASSIVE,
    },
    _S.PASSIVE: {
        **_DOWN,
        **_SLAVE_SIDE,
        _E.RECOMMEND_SLAVE: _S.UNCALIBRATED,
        _E.RECOMMEND_NEW_PARENT: _S.UNCALIBRATED,
    },
    **_following(_SLAVE_SIDE),
}

_BACK_TO_LISTENING = {
    _E.RECOMMEND_GRANDMASTER: _S.LISTENING,
    _E.RECOMMEND_MASTER: _S.LISTENING,
    _E.RECOMMEND_PASSIVE: _S.LISTENING,
    _E.ANNOUNCE_RECEIPT_TIMEOUT: _S.LISTENING,
}

CLIENT_ONLY: StateTable = {
    **_COMMON,
    _S.LISTENING: {
        **_DOWN,
        **_BACK_TO_LISTENING,
        _E.RECOMMEND_SLAVE: _S.UNCALIBRATED,
        _E.RECOMMEND_NEW_PARENT: _S.UNCALIBRATED,
    },
    **_following(_BACK_TO_LISTENING),
}

#: masterOnly (9.2.2.2): no Announce is evaluated, so neither SLAVE nor PASSIVE can be recommended.
SERVER_ONLY: StateTable = {
    **_COMMON,
    _S.LISTENING: {
        **_DOWN,
        _E.RECOMMEND_GRANDMASTER: _S.MASTER,
        _E.RECOMMEND_MASTER: _S.PRE_MASTER,
        _E.ANNOUNCE_RECEIPT_TIMEOUT: _S.MASTER,
    },
    _S.PRE_MASTER: {
        **_DOWN,
        _E.RECOMMEND_GRANDMASTER: _S.MASTER,
        _E.RECOMMEND_MASTER: _S.PRE_MASTER,
        _E.QUALIFICATION_TIMEOUT: _S.MASTER,
    },
    _S.MASTER: {**_DOWN, _E.RECOMMEND_GRANDMASTER: _S.MASTER, _E.RECOMMEND_MASTER: _S.MASTER},
}

#: A port that is told to be silent (17.6).
PASSIVE_ONLY: StateTable = {
    **_COMMON,
    _S.LISTENING: {**_DOWN, _E.RECOMMEND_PASSIVE: _S.PASSIVE},
    _S.PASSIVE: {**_DOWN, _E.RECOMMEND_PASSIVE: _S.PASSIVE},
}


def next_state(table: StateTable, state: PortState, event: PortEvent) -> PortState | None:
    """The state after ``event``, or None when the event has no meaning in this state (nothing changes)."""
    return table[state].get(event)


def diagram(table: StateTable) -> str:
    """The table as a Mermaid state diagram; arcs with the same ends share a line. Self-loops are left out."""
    lines = ["stateDiagram-v2", "    [*] --> INITIALIZING"]
    for state, row in table.items():
        arcs: dict[PortState, list[str]] = {}
        for event, target in row.items():
            if target is not state:
                arcs.setdefault(target, []).append(event.value)
        lines += [f"    {state.name} --> {target.name}: {', '.join(events)}" for target, events in arcs.items()]
    return "\n".join(lines) + "\n"
