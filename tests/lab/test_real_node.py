"""Labs with the real daemon: it keeps time, tells the truth about it, and gets on with ptp4l."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ptpstack.lab.report import make_report
from ptpstack.lab.runner import run_lab
from ptpstack.lab.topology_file import parse_topology
from tests.lab.beds import bed, event, host, needs_namespaces

pytestmark = [pytest.mark.namespaces, pytest.mark.slow, needs_namespaces]

#: eight Announce and sixteen Sync in a second: a test has not the time of a real network
FAST = "log_announce_interval = -3, log_sync_interval = -4, log_min_delay_req_interval = -4"


def node(name: str, clock: str, instance: str) -> str:
    return f"""
[[node]]
host = "{name}"
[[node.site.clock]]
name = "clock"
type = "simulated"
{clock}
[[node.site.instance]]
name = "ptp"
profile = "unrestricted"
port = [{{ interface = "eth0", {FAST} }}]
{instance}
"""


def grandmaster(name: str, priority2: int) -> str:
    reference = 'reference = { type = "simulated", state = "locked", noise_ns = 10.0, accuracy = "100 ns" }'
    settings = f'role = "grandmaster"\npriority2 = {priority2}\n{reference}'
    return node(name, f'oscillator = "ocxo"\nseed = {priority2}', settings)


CLIENT = node(
    "oc", 'oscillator = "tcxo"\nseed = 9\ninitial_error_ns = 3000000\nfrequency_ppb = 900.0', "client_only = true"
)


def test_failover_between_two_grandmasters(tmp_path: Path) -> None:
    text = bed(
        *(host(name) for name in ("gm-a", "oc", "gm-b")),
        grandmaster("gm-a", 1),
        grandmaster("gm-b", 2),
        CLIENT,
        event(5.0, "kill", "gm-a"),
        duration=7.0,
        settle=3.0,
    )
    recording = run_lab(parse_topology(text), rate_hz=10.0, base_directory=tmp_path)
    assert recording.incidents == []
    report = make_report(recording)
    oc = next(instance for instance in report.instances if instance.node == "oc")
    assert oc.followed[-1].value == "gm-b"
    assert "gm-a" in [stretch.value for stretch in oc.followed]
    takeover = next(t for t in report.takeovers if t.node == "oc")
    assert (takeover.before, takeover.after) == ("gm-a", "gm-b")
    assert takeover.took_s is not None
    assert takeover.took_s < 2.0, "three Announce intervals are 0.4 s"
    assert any("gm-b" in line for line in takeover.why)
    clocks = {clock.node: clock.overall for clock in report.clocks}
    assert clocks["oc"] is not None
    # it began 3 ms away; what is left is the noise of software stamps on a busy machine
    assert clocks["oc"].p50_ns < 200_000
    assert oc.bound_samples > 20
    assert oc.bound_coverage is not None
    assert oc.bound_coverage > 0.9
    assert all(node.exit_status == 0 for label, node in recording.nodes.items() if label != "gm-a")


@pytest.mark.interop
@pytest.mark.skipif(shutil.which("ptp4l") is None, reason="ptp4l (linuxptp) is not installed")
def test_ptp4l_follows_a_ptpstack_grandmaster(tmp_path: Path) -> None:
    config = "slaveOnly 1\nlogAnnounceInterval -3\nlogMinDelayReqInterval -4"
    text = bed(
        *(host(name) for name in ("gm", "ptp4l")),
        grandmaster("gm", 1),
        f'[[node]]\nhost = "ptp4l"\nkind = "ptp4l"\nconfig = """\n{config}\n"""\n',
        duration=6.0,
        settle=2.0,
    )
    recording = run_lab(parse_topology(text), base_directory=tmp_path)
    assert recording.incidents == []
    report = make_report(recording)
    client = next(instance for instance in report.instances if instance.node == "ptp4l")
    assert client.followed[-1].value == "gm"
    measured = report.measured[0]
    assert measured.whole_seconds_removed == 0, "the grandmaster's time properties tell ptp4l the 37 s to UTC"
    assert measured.overall is not None
    assert measured.overall.p50_ns < 200_000
