"""A report computed from made-up series, where every number is known beforehand."""

from __future__ import annotations

import io
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ptpstack.lab.live import picture, sparkline
from ptpstack.lab.recording import (
    Executed,
    Explained,
    InstanceRecording,
    InstanceSample,
    MalformedAnswer,
    Measured,
    NodeRecording,
    Port,
    Recording,
    absorb,
)
from ptpstack.lab.render import print_report, to_json
from ptpstack.lab.report import Takeover, make_report, sentences
from ptpstack.lab.statistics import error_statistics, quantile, runs
from ptpstack.lab.topology_file import parse_topology
from tests.lab.beds import bed, event, fake

A, B, OC = "020000.fffe.00000a", "020000.fffe.00000b", "020000.fffe.00000c"
PHASES = (
    '[[phase]]\nname = "before"\nfrom_s = 0.0\nto_s = 10.0\n[[phase]]\nname = "after"\nfrom_s = 10.0\nto_s = 20.0\n'
)


def test_quantiles_by_nearest_rank() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [quantile(values, q) for q in (0.5, 0.95, 1.0)] == [50.0, 95.0, 100.0]
    assert quantile([7.0], 0.5) == 7.0
    with pytest.raises(ValueError, match="nothing"):
        quantile([], 0.5)


@given(st.lists(st.floats(-1e12, 1e12), min_size=1))
def test_statistics_are_ordered_and_bound_the_samples(errors: list[float]) -> None:
    found = error_statistics(enumerate(errors))
    assert found is not None
    assert found.p50_ns <= found.p95_ns <= found.max_ns == max(abs(e) for e in errors)
    assert sum(abs(e) <= found.p95_ns for e in errors) >= 0.95 * len(errors)


def test_statistics_of_a_stretch() -> None:
    series = [(0.0, -5.0), (1.0, 3.0), (2.0, 100.0)]
    found = error_statistics(series, 0.0, 2.0)
    assert found is not None
    assert (found.count, found.max_ns, found.mean_ns) == (2, 5.0, -1.0)
    assert error_statistics(series, 5.0, 6.0) is None


def test_runs() -> None:
    assert runs([(0, "a"), (1, "a"), (2, "b"), (3, "a")]) == [(0, 1, "a"), (2, 2, "b"), (3, 3, "a")]


def sample(
    t: float, grandmaster: str, state: str, error: float, servo: str = "locked", bound: float = 100.0
) -> InstanceSample:
    ports = (Port(1, "eth0", state),)
    return InstanceSample(t, grandmaster, f"{grandmaster}-1", 6, ports, servo, error * 0.9, bound, error)


def failover() -> Recording:
    """20 s at 2 Hz: oc follows gm-a, killed at 10 s; from 13 s on it follows gm-b; in between it is on its own."""
    text = bed(
        fake("gm-a", "priority2 = 1"),
        fake("gm-b", "priority2 = 2"),
        fake("oc", ""),
        event(10.0, "kill", "gm-a"),
        PHASES,
        duration=20.0,
        settle=2.0,
    )
    recording = Recording(parse_topology(text), labels={A: "gm-a", B: "gm-b", OC: "oc"}, lasted_s=20.0)
    for label, identity in (("gm-a", A), ("gm-b", B), ("oc", OC)):
        node = NodeRecording(label, label, "ptpstack", "")
        node.instances["ptp"] = InstanceRecording("ptp", 5, "fake", "", "clock", identity)
        node.clocks["clock"] = []
        recording.nodes[label] = node
    for tick in range(40):
        t = tick / 2
        error = 5000.0 if t < 1 else 50.0 if t < 10 else 50.0 * (t - 9) if t < 13 else 40.0
        state, follows = ("SLAVE", A) if t < 10.5 else ("MASTER", OC) if t < 13 else ("SLAVE", B)
        servo = "tracking" if t < 1.5 else "locked"
        recording.nodes["oc"].instances["ptp"].samples.append(sample(t, follows, state, error, servo))
        recording.nodes["oc"].clocks["clock"].append((t, error))
        leads = "PASSIVE" if t < 12 else "MASTER"
        recording.nodes["gm-b"].instances["ptp"].samples.append(sample(t, A if t < 12 else B, leads, 1.0))
        if t < 10:
            recording.nodes["gm-a"].instances["ptp"].samples.append(sample(t, A, "MASTER", 1.0))
    recording.executed.append(Executed(recording.topology.events[0], 10.01))
    told = {"instances": [{"name": "ptp", "x": [{"code": "S1", "reason": f"{B} wins by priority2"}]}]}
    recording.nodes["oc"].explained.append(Explained(13.1, "ptp", told))
    return recording


def test_failover() -> None:
    report = make_report(failover())
    assert [(t.node, t.after) for t in report.takeovers] == [("oc", "gm-b")], "gm-b followed nobody as PASSIVE"
    takeover = report.takeovers[0]
    assert takeover.before == "gm-a"
    assert takeover.took_s == pytest.approx(2.99)
    assert takeover.worst_error_ns == 175.0, "at 12.5 s, the last look before it followed gm-b"
    assert takeover.worst_later_ns == 40.0
    assert takeover.why == ("S1: gm-b wins by priority2",), "identities are shown as labels"


def test_the_client_that_never_finds_another() -> None:
    recording = failover()
    series = recording.nodes["oc"].instances["ptp"].samples
    series[26:] = [s._replace(grandmaster=OC, parent="", ports=(Port(1, "eth0", "LISTENING"),)) for s in series[26:]]
    takeover = make_report(recording).takeovers[0]
    assert (takeover.after, takeover.took_s) == (None, None)
    assert takeover.worst_error_ns == 175.0
    assert takeover.worst_later_ns is None


def test_no_takeover_where_nothing_was_taken() -> None:
    recording = failover()
    for node in recording.nodes.values():
        for instance in node.instances.values():
            instance.samples = [s._replace(grandmaster=B, parent=f"{B}-1") for s in instance.samples]
    assert make_report(recording).takeovers == ()


def test_a_boundary_clock_that_dies_takes_the_parent_away() -> None:
    recording = failover()
    recording.labels["020000.fffe.0000bc"] = "gm-a"  # the killed one is only the parent now
    series = recording.nodes["oc"].instances["ptp"].samples
    series[:] = [
        s._replace(
            grandmaster=B, parent="020000.fffe.0000bc-2" if s.t_s < 13 else f"{B}-1", ports=(Port(1, "eth0", "SLAVE"),)
        )
        for s in series
    ]
    takeover = make_report(recording).takeovers[0]
    assert (takeover.before, takeover.after, takeover.took_s) == ("gm-b", "gm-b", pytest.approx(2.99))


def test_errors_by_phase_without_the_settling_time() -> None:
    report = make_report(failover())
    clock = next(c for c in report.clocks if c.node == "oc")
    assert clock.overall is not None
    assert clock.overall.max_ns == 175.0
    assert clock.overall.count == 36
    before, after = clock.phases["before"], clock.phases["after"]
    assert before is not None
    assert (before.p50_ns, before.max_ns, before.count) == (50.0, 50.0, 16)
    assert after is not None
    assert (after.max_ns, after.count) == (175.0, 20)


def test_lock_coverage_and_histories() -> None:
    report = make_report(failover())
    oc = next(i for i in report.instances if i.node == "oc")
    assert oc.lock_s == 1.5
    assert [(s.value, s.from_s) for s in oc.followed] == [("gm-a", 0.0), ("oc", 10.5), ("gm-b", 13.0)]
    assert [s.value for s in oc.ports[0].states] == ["SLAVE", "MASTER", "SLAVE"]
    # 2 looks with 5000 ns and 11.5, 12, 12.5 s with more than 100 ns are outside the bound of 100 ns
    assert oc.bound_samples == 40
    assert oc.bound_coverage == pytest.approx(35 / 40)
    # the estimate was 10 % off: only 500 ns at the start is more than the bound
    assert oc.estimate_coverage == pytest.approx(38 / 40)


def test_utc_beside_tai_is_said_not_hidden() -> None:
    recording = failover()
    offsets = [-37e9 + n for n in (-200.0, 100.0, 50.0)]
    recording.nodes["gm-b"].measured = [Measured(3.0 + n, offset, 1.0, "s0") for n, offset in enumerate(offsets)]
    measured = make_report(recording).measured[0]
    assert measured.whole_seconds_removed == -37
    assert measured.overall is not None
    assert measured.overall.max_ns == 200.0
    assert measured.source == "self-reported"


def test_json_is_json_and_has_the_documented_keys() -> None:
    recording = failover()
    recording.incident(5.0, "oc", "fell over", ("last words",))
    body = json.loads(to_json(make_report(recording)))
    assert body["schema"] == "ptpstack-lab-report/1"
    assert body["failed"] is True
    assert body["incidents"][0]["log_tail"] == ["last words"]
    assert body["events"][0] == {"at_s": 10.0, "done_s": 10.01, "event": "kill gm-a", "failure": ""}
    assert set(body["takeovers"][0]) == set(Takeover.__dataclass_fields__)


@pytest.mark.parametrize("width", [80, 120])
def test_text_and_picture_fit(width: int) -> None:
    recording = failover()
    recording.incident(5.0, "oc", "fell over", ("last words",))
    console = Console(file=io.StringIO(), width=width, height=24)
    print_report(make_report(recording), console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "gm-b" in text
    assert "FAILED" in text
    assert "last words" in text
    assert "175.0 ns" in text
    assert max(len(line) for line in text.splitlines()) <= width
    console = Console(file=io.StringIO(), width=width, height=24)
    console.print(picture(recording, 12.0, ["something happened"], width, 24))
    frame = console.file.getvalue()  # type: ignore[attr-defined]
    assert "★ gm-b" in frame
    assert "something happened" in frame
    assert "…" not in frame
    assert len(frame.splitlines()) <= 24


def test_a_low_terminal_loses_idle_masters_not_clients() -> None:
    recording = failover()
    for label in ("gm-a", "gm-b"):
        recording.nodes[label].instances["ptp"].role = "grandmaster"
    console = Console(file=io.StringIO(), width=80)
    console.print(picture(recording, 12.0, [], 80, 9))
    frame = console.file.getvalue()  # type: ignore[attr-defined]
    assert "oc" in frame
    assert "gm-a" not in frame


def test_the_chain_from_the_grandmaster_down() -> None:
    recording = failover()
    recording.labels["020000.fffe.0000bc"] = "bc"
    bc = NodeRecording("bc", "bc", "ptpstack", "")
    bc.instances["ptp"] = InstanceRecording("ptp", 5, "fake", "boundary", "clock", "020000.fffe.0000bc")
    bc.instances["ptp"].samples.append(sample(19.5, B, "SLAVE", 1.0))
    recording.nodes["bc"] = bc
    series = recording.nodes["oc"].instances["ptp"].samples
    series[-1] = series[-1]._replace(parent="020000.fffe.0000bc-2")
    console = Console(file=io.StringIO(), width=80)
    console.print(picture(recording, 19.5, [], 80, 24))
    frame = console.file.getvalue()  # type: ignore[attr-defined]
    line = next(line for line in frame.splitlines() if " oc " in line)
    assert "gm-b → bc" in line
    # a circle of parents, as there may be for a moment, ends the chain
    bc.instances["ptp"].samples[-1] = bc.instances["ptp"].samples[-1]._replace(parent=f"{OC}-1")
    console.print(picture(recording, 19.5, [], 80, 24))


def test_sparkline_is_logarithmic_and_bounded() -> None:
    assert sparkline([0.0, 1.0, 1e3, -1e3, 1e9], 10) == "▁▁▅▅█"
    assert len(sparkline([1.0] * 50, 10)) == 10


def test_sentences_from_any_shape() -> None:
    nested = {"other": {"reason": "not mine"}, "ptp": {"ports": [{"decision": {"code": "M1", "reason": "better"}}]}}
    assert sentences(nested, "ptp") == ["M1: better"]
    assert sentences([{"reason": "a"}, {"reason": "a"}, {"reason": "b"}], "ptp") == ["a", "b"]
    assert sentences(None, "ptp") == []


STATUS = {
    "node": "n",
    "instances": [
        {
            "name": "ptp",
            "domain": 10,
            "profile": "p",
            "role": "ordinary",
            "clock": "clock",
            "clock_identity": OC,
            "grandmaster": {"identity": A, "clock_class": 6},
            "parent": f"{A}-1",
            "estimate": {"value_ns": 5.0, "bound_ns": None},
            "servo": {"state": "locked"},
            "ports": [{"number": 1, "interface": "eth0", "state": "SLAVE"}],
        }
    ],
}
TRUTH = {"clocks": [{"name": "clock", "kind": "simulated", "error_ns": 12.5}, {"name": "sys", "error_ns": None}]}


def test_absorb() -> None:
    recording = failover()
    node = NodeRecording("n", "n", "ptpstack", "")
    assert absorb(node, recording, 1.0, STATUS, TRUTH) == []
    seen = node.instances["ptp"].samples[0]
    assert (seen.grandmaster, seen.error_ns, seen.bound_ns, seen.ports[0].state) == (A, 12.5, None, "SLAVE")
    assert recording.label_of(OC) == "n"
    assert recording.label_of(f"{OC}-1") == "n"
    assert list(node.clocks) == ["clock"]
    other = json.loads(json.dumps(STATUS).replace(A, B))
    assert absorb(node, recording, 2.0, other, None) == ["ptp"]
    assert node.instances["ptp"].samples[1].error_ns is None


def test_absorb_names_what_is_missing() -> None:
    for damage in ("parent", "grandmaster", "ports", "domain"):
        node = NodeRecording("n", "n", "ptpstack", "")
        status = json.loads(json.dumps(STATUS))
        del status["instances"][0][damage]
        with pytest.raises(MalformedAnswer, match=damage):
            absorb(node, failover(), 1.0, status, TRUTH)
    with pytest.raises(MalformedAnswer):
        absorb(NodeRecording("n", "n", "ptpstack", ""), failover(), 1.0, "hello", None)


def test_percentiles_of_noise_agree_with_its_distribution() -> None:
    generator = random.Random(7)
    found = error_statistics((n, generator.gauss(0.0, 100.0)) for n in range(20_000))
    assert found is not None
    assert found.p50_ns == pytest.approx(67.4, rel=0.03)
    assert found.p95_ns == pytest.approx(196.0, rel=0.03)
