"""Receive time stamps on what was heard: whether the NIC stamps what the configuration of its filter promises."""

from __future__ import annotations

from ptpstack.doctor.findings import OK, WARNING, Finding, kind
from ptpstack.doctor.traffic.census import Census

RECEIVE_STAMPS = kind("receive-stamps-come", OK, "Event messages come with the NIC's receive stamps")
RECEIVE_STAMPS_MISSING = kind(
    "receive-stamps-missing",
    WARNING,
    "The NIC is switched on, but event messages come without its receive stamps",
    "Its receive filter does not cover this transport (`hwstamp_ctl -i INTERFACE -r 12`, or restart the node), or its "
    "stamp unit is full or stuck.",
)


def judge(census: Census, switched_on: frozenset[str]) -> list[Finding]:
    """``switched_on``: interfaces whose NIC is set to stamp."""
    found = []
    for interface in sorted(switched_on):
        speakers = [s for s in census.speakers.values() if s.place.interface == interface]
        number, stamped = sum(s.stamped for s in speakers), sum(s.hardware_stamped for s in speakers)
        if number >= 3 and not stamped:
            found.append(RECEIVE_STAMPS_MISSING(interface, f"{number} event messages, no hardware stamp"))
        elif number and stamped:
            found.append(RECEIVE_STAMPS(interface, f"{stamped} of {number} event messages"))
    return found
