"""Port states under IEEE 802.1AS: the tables of IEEE 1588 without waiting, plus the loss of asCapable.

There is no foreign master qualification and no wait before serving (10.3.12), so no PRE_MASTER; and a port that follows
is a SlavePort at once, so no UNCALIBRATED. Not asCapable (DisabledPort in the text) is shown as LISTENING.
"""

from __future__ import annotations

from ptpstack.protocol.states import PortEvent, StateTable
from ptpstack.wire.types import PortState

_INSTEAD = {PortState.PRE_MASTER: PortState.MASTER, PortState.UNCALIBRATED: PortState.SLAVE}
#: states that a port has only while it is asCapable
ROLES = (PortState.MASTER, PortState.PASSIVE, PortState.SLAVE)


def gptp_table(table: StateTable) -> StateTable:
    """What becomes of a table of IEEE 1588 on a port of IEEE 802.1AS."""
    made: StateTable = {}
    for state, row in table.items():
        if state in _INSTEAD:
            continue
        made[state] = {event: _INSTEAD.get(target, target) for event, target in row.items()}
        if state is PortState.SLAVE:
            # the servo has no say in a port's role
            made[state][PortEvent.SYNCHRONIZATION_FAULT] = PortState.SLAVE
        if state in ROLES:
            made[state][PortEvent.NOT_CAPABLE] = PortState.LISTENING
    return made
