"""The ptpstack node that runs here, asked on its control socket: faults, lost stamps, rivals that it has noticed."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import Any

from ptpstack.doctor.findings import ERROR, NOTE, OK, WARNING, Finding, kind
from ptpstack.node.client import ControlClient, ControlUnavailable

NODE_FINE = kind("node-fine", OK, "The node that runs here has no complaint")
NODE_FAULTY = kind(
    "node-port-faulty",
    ERROR,
    "A port of the running node is FAULTY",
    "`ptpstack explain` says why, and what would change it.",
)
NODE_PROBLEM = kind(
    "node-channel-problem",
    WARNING,
    "The running node cannot use an interface",
    "`ptpstack status` has the details; the node tries again by itself.",
)
NODE_CONFLICT = kind(
    "node-identity-conflict",
    WARNING,
    "Two nodes of this machine speak with one identity",
    "Stop one, or give one another clock_identity or domain.",
)
NODE_STAMPS = kind(
    "node-stamps-missing",
    WARNING,
    "The running node misses transmit stamps",
    "Each one missing drops a Follow_Up or a delay measurement: look at the NIC's driver, or at other programs that "
    "take "
    "its stamp unit.",
)
NODE_DROPS = kind(
    "node-drops",
    NOTE,
    "The kernel dropped frames that the running node did not read in time",
    "The machine is too busy, or somebody floods the PTP ports: give the node a real-time priority, look at the "
    "senders.",
)
NODE_OUTSIDERS = kind(
    "node-clock-changed-by-others",
    WARNING,
    "Another program changes a clock that the running node steers",
    "Find and stop it (chronyd, ntpd, systemd-timesyncd, phc2sys, ptp4l), or set `steer = false` for this clock.",
)

#: a stamp now and then is lost on every machine
_FEW = 3
_SHARE = 0.001
#: what others did before is past
_LATELY_S = 3600


def look(path: str) -> dict[str, Any] | None:
    """The node's status; None: no node answers there. PermissionError when this user may not ask."""
    if os.path.exists(path) and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "this user may not use its control socket")
    with suppress(ControlUnavailable, ValueError), ControlClient(path) as client:
        answer = client.request("status")
        return answer if isinstance(answer, dict) else None
    return None


def judge(status: dict[str, Any] | None) -> list[Finding]:
    if status is None:
        return []
    found = []
    node = f"node {status.get('node', '')} (pid {status.get('pid', '?')})"
    for instance in status.get("instances", ()):
        for port in instance.get("ports", ()):
            if port.get("state") == "FAULTY":
                reason = (port.get("decision") or {}).get("reason", "no reason told")
                where = f"{instance['name']} port {port['number']} on {port['channel']}"
                found.append(NODE_FAULTY(node, f"{where}: {reason}"))
    for sentence in status.get("identity_conflicts", ()):
        found.append(NODE_CONFLICT(node, sentence))
    for channel in status.get("channels", ()):
        counters = channel.get("counters", {})
        name = f"{node} {channel['name']}"
        if channel.get("problem"):
            found.append(NODE_PROBLEM(name, str(channel["problem"])))
        missing, sent = counters.get("tx_stamp_missing", 0), counters.get("sent", 0)
        if missing > max(_FEW, _SHARE * sent):
            found.append(NODE_STAMPS(name, f"{missing} missing, {sent} frames sent"))
        if counters.get("kernel_drops", 0):
            found.append(NODE_DROPS(name, f"{counters['kernel_drops']} frames"))
    for clock in status.get("clocks", ()):
        others = clock.get("foreign") or {}
        age_s = others.get("age_s")
        if age_s is not None and age_s < _LATELY_S:
            what = f"{others.get('changes', 0)} changes of frequency, {others.get('steps', 0)} steps"
            found.append(NODE_OUTSIDERS(clock["name"], f"{what}, the last {age_s:.0f} s ago: {others.get('last', '')}"))
    return found or [NODE_FINE(node, f"{len(status.get('instances', ()))} instances")]
