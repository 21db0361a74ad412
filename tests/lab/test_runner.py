"""Labs that really run: fake nodes that elect over the lab's network, and ptp4l."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ptpstack.lab.errors import LabError
from ptpstack.lab.linux import environment_of
from ptpstack.lab.recording import Recording
from ptpstack.lab.report import make_report
from ptpstack.lab.rundir import MARKER, marked_processes
from ptpstack.lab.runner import run_lab
from ptpstack.lab.topology_file import parse_topology
from tests.lab.beds import FAKE_NODE, bed, event, fake, host, needs_namespaces

pytestmark = [pytest.mark.namespaces, needs_namespaces]

TRIO = (fake("gm-a", "priority2 = 1"), fake("gm-b", "priority2 = 2"), fake("oc", "client_only = true"))

Lab = Callable[..., Recording]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    def run(text: str, keep_logs: Path | None = None) -> Recording:
        recording = run_lab(
            parse_topology(text), rate_hz=20.0, node_command=FAKE_NODE, base_directory=tmp_path, keep_logs=keep_logs
        )
        assert [path for path in tmp_path.iterdir() if path.name.startswith("ptpstack-lab")] == [], "nothing is left"
        return recording

    return run


def test_kill_and_return(lab: Lab) -> None:
    events = (event(0.7, "kill", "gm-a"), event(1.8, "start", "gm-a"))
    recording = lab(bed(*TRIO, *events, duration=3.2))
    assert recording.incidents == []
    assert [executed.done_s for executed in recording.executed] == pytest.approx([0.7, 1.8], abs=0.25)
    assert all(executed.done_s >= executed.event.at_s for executed in recording.executed)
    report = make_report(recording)
    oc = next(instance for instance in report.instances if instance.node == "oc")
    assert [stretch.value for stretch in oc.followed] == ["gm-a", "gm-b", "gm-a"]
    taken = {(t.event, t.node): t for t in report.takeovers}
    first = taken["kill gm-a", "oc"]
    assert first.after == "gm-b"
    assert first.took_s is not None
    assert 0.3 < first.took_s < 1.0, "the fake's election forgets after 0.4 s"
    assert first.why == ("S1: gm-b is best",)
    assert taken["kill gm-a", "gm-b"].after == "gm-b", "the standby leads"
    assert taken["start gm-a", "oc"].after == "gm-a"
    assert recording.nodes["gm-a"].exit_status in (0, -signal.SIGTERM), "the second life ended in order"


def test_degrade_restore_and_links(lab: Lab) -> None:
    events = (
        event(0.4, "degrade", "gm-a", 'state = "holdover"\nclock_class = 187'),
        event(1.0, "restore", "gm-a"),
        event(1.6, "link-down", "gm-a"),
        event(2.6, "link-up", "gm-a"),
    )
    recording = lab(bed(*TRIO, *events, duration=3.4))
    assert recording.incidents == []
    oc = next(instance for instance in make_report(recording).instances if instance.node == "oc")
    assert [stretch.value for stretch in oc.followed] == ["gm-a", "gm-b", "gm-a", "gm-b", "gm-a"]


def test_pause_is_no_incident_and_resume_brings_it_back(lab: Lab) -> None:
    events = (event(0.4, "pause", "gm-a"), event(1.4, "resume", "gm-a"))
    recording = lab(bed(*TRIO, *events, duration=2.4))
    assert recording.incidents == []
    oc = next(instance for instance in make_report(recording).instances if instance.node == "oc")
    assert [stretch.value for stretch in oc.followed] == ["gm-a", "gm-b", "gm-a"]
    late = [s for s in recording.nodes["gm-a"].instances["ptp"].samples if s.t_s > 1.5]
    assert late, "it is looked at again after its pause"


def test_a_node_that_dies_is_reported_with_its_last_words(lab: Lab) -> None:
    recording = lab(bed(fake("gm", "priority2 = 1"), fake("oc", "", "crash_after_s = 1.0"), duration=2.0))
    assert [(i.node, i.what) for i in recording.incidents] == [
        ("oc", "ended with status 7 although nobody had asked it to")
    ]
    assert recording.incidents[0].log_tail == ("out of cheese",)
    assert make_report(recording).failed


def test_a_node_that_falls_silent_is_reported(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ptpstack.lab.runner.ANSWER_LIMIT_S", 1.0)
    recording = lab(bed(fake("gm", "priority2 = 1"), fake("oc", "", "silent_after_s = 0.7"), duration=2.4))
    assert [i.node for i in recording.incidents] == ["oc"]
    assert "has not answered" in recording.incidents[0].what


def test_garbage_on_the_control_socket_is_reported(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ptpstack.lab.runner.START_LIMIT_S", 0.5)
    recording = lab(bed(fake("oc", "", "garbage = true"), duration=1.0))
    assert any(i.node == "oc" and "not JSON" in i.what for i in recording.incidents)


def test_a_lab_whose_node_cannot_start_ends_at_once(tmp_path: Path) -> None:
    began = time.monotonic()
    recording = run_lab(
        parse_topology(bed(fake("oc", ""), duration=60.0)), node_command=["false"], base_directory=tmp_path
    )
    assert time.monotonic() - began < 10.0
    assert "ended with status 1" in recording.incidents[0].what
    with pytest.raises(LabError, match="no program"):
        run_lab(parse_topology(bed(fake("oc", ""))), node_command=["no-such-program"], base_directory=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_event_that_cannot_be_done_is_reported(lab: Lab) -> None:
    recording = lab(bed(fake("gm", ""), event(0.3, "start", "gm"), duration=0.8))
    assert "runs already" in recording.executed[0].failure
    assert "runs already" in recording.incidents[0].what


def test_ctrl_c_ends_the_lab_early_and_still_reports(lab: Lab) -> None:
    timer = threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    began = time.monotonic()
    recording = lab(bed(*TRIO, duration=60.0))
    timer.join()
    assert time.monotonic() - began < 10.0
    assert recording.interrupted
    assert make_report(recording).interrupted
    assert recording.nodes["oc"].instances["ptp"].samples
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, "the handler before is back"


def test_a_bad_end_is_reported_too(lab: Lab) -> None:
    node = '[[node]]\nhost = "h"\nkind = "command"\ncommand = ["sh", "-c", "trap \'exit 3\' TERM; sleep 9 & wait"]\n'
    recording = lab(bed(host("h"), node, duration=0.5))
    assert [i.what for i in recording.incidents] == ["ended with status 3 when it was told to end"]
    recording = lab(bed(host("h"), node, event(0.3, "term", "h"), duration=0.8))
    assert [i.what for i in recording.incidents] == ["ended with status 3 when it was told to end"]


def test_grandchildren_and_stubborn_nodes_die_too(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ptpstack.lab.runner.END_LIMIT_S", 0.5)
    script = "trap '' TERM; sleep 1000 & sleep 1000"
    text = bed(host("h"), f'[[node]]\nhost = "h"\nkind = "command"\ncommand = ["sh", "-c", "{script}"]\n', duration=0.5)
    recording = lab(text)
    # other labs may be running on this machine: only those of this process are meant
    own = f"{os.getpid()}-"
    left = [pid for pid, _ in marked_processes() if environment_of(pid).get(MARKER, "").startswith(own)]
    assert left == []
    assert "did not end within" in recording.incidents[0].what


def test_a_node_cannot_set_the_clock(lab: Lab, tmp_path: Path) -> None:
    code = "for line in open('/proc/self/status'):\\n    if line.startswith('Cap'): print(line, end='')"
    text = bed(
        host("h"), f'[[node]]\nhost = "h"\nkind = "command"\ncommand = ["python3", "-c", "{code}"]\n', duration=0.5
    )
    recording = lab(text)
    sets = dict(line.split() for line in recording.nodes["h"].log_tail)
    assert {"CapEff:", "CapPrm:", "CapBnd:"} <= set(sets)
    assert not any(int(value, 16) >> 25 & 1 for value in sets.values()), "CAP_SYS_TIME is 25"


def test_a_node_sees_the_interfaces_of_its_own_host(lab: Lab) -> None:
    text = bed(host("h"), '[[node]]\nhost = "h"\nkind = "command"\ncommand = ["ls", "/sys/class/net"]\n', duration=0.5)
    assert set(lab(text).nodes["h"].log_tail) == {"eth0", "lo"}


@pytest.mark.interop
@pytest.mark.skipif(shutil.which("ptp4l") is None, reason="ptp4l (linuxptp) is not installed")
def test_ptp4l_measures_ptp4l(lab: Lab, tmp_path: Path) -> None:
    fast = "logAnnounceInterval -3\nlogSyncInterval -4\nlogMinDelayReqInterval -4\nannounceReceiptTimeout 4"
    text = bed(
        host("gm"),
        f'[[node]]\nhost = "gm"\nkind = "ptp4l"\nconfig = """\npriority1 100\n{fast}\n"""\n',
        host("oc"),
        f'[[node]]\nhost = "oc"\nkind = "ptp4l"\nconfig = """\nslaveOnly 1\n{fast}\n"""\n',
        event(4.5, "kill", "gm"),
        duration=5.8,
    )
    recording = lab(text, keep_logs=tmp_path / "logs")
    assert recording.incidents == []
    report = make_report(recording)
    measured = next(m for m in report.measured if m.node == "oc")
    assert measured.overall is not None
    assert measured.overall.count >= 1
    assert measured.overall.p50_ns < 100_000, "two free running daemons on one kernel clock"
    oc = next(instance for instance in report.instances if instance.node == "oc")
    assert "gm" in [stretch.value for stretch in oc.followed]
    states = [stretch.value for stretch in oc.ports[0].states]
    assert "UNCALIBRATED" in states, "free running, ptp4l goes no further"
    assert states[-1] == "LISTENING", "its master was killed"
    config = (tmp_path / "logs" / "oc.conf").read_text()
    assert "free_running 1" in config
    assert "time_stamping software" in config
    assert (tmp_path / "logs" / "oc.log").read_text()
