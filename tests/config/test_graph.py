"""The clock graph in a site file: edges, port clocks, pulses; what is refused, with place and fix."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ptpstack.config.dump import dumps
from ptpstack.config.findings import ERROR, NOTE, WARNING
from ptpstack.config.load import loads, parse_site

NICS = """
[[clock]]
name = "nic0"
type = "phc"
device = "/dev/ptp0"
[[clock]]
name = "nic1"
type = "phc"
device = "/dev/ptp1"
[[clock]]
name = "system"
type = "system"
steer = true
"""
OC = '[[instance]]\nclock = "nic0"\n[[instance.port]]\ninterface = "eth0"\n'
BC = OC + '[[instance.port]]\ninterface = "eth1"\nclock = "nic1"\n'


def edge(source: str, target: str, more: str = "") -> str:
    return f'[[edge]]\nfrom = "{source}"\nto = "{target}"\n{more}'


def test_an_edge_has_the_rate_and_burst_of_the_architecture_by_default() -> None:
    (made,) = loads(NICS + OC + edge("nic0", "system")).edges
    assert (made.source, made.target, made.log_interval, made.samples, made.always) == ("nic0", "system", -3, 5, False)


def test_a_graph_round_trips() -> None:
    text = NICS + BC + edge("nic0", "system", "log_interval = -5\nsamples = 9\nalways = true\n[edge.servo]\nkp = 0.5\n")
    site = loads(text)
    assert site.instances[0].options.clocks == ("nic0", "nic1")
    assert site.edges[0].servo.kp == 0.5
    assert loads(dumps(site)) == site


def test_pulses_round_trip() -> None:
    text = (
        NICS
        + OC.replace("[[instance.port]]", 'role = "grandmaster"\n[[instance.port]]')
        + (
            '[instance.reference]\ntype = "pps"\nchannel = 1\npin = 2\nedge = "falling"\ndelay_ns = 81.5\n'
            'tod = "nic1"\nholdover_limit_ns = 1000\naccuracy = "100 ns"\n'
        )
    )
    site = loads(text)
    reference = site.instances[0].reference
    assert (reference.state, reference.channel, reference.pin, reference.tod) == ("locked", 1, 2, "nic1")
    assert loads(dumps(site)) == site


def test_ports_that_all_name_a_clock_need_no_clock_of_the_instance() -> None:
    site = loads(NICS + '[[instance]]\n[[instance.port]]\ninterface = "eth1"\nclock = "nic1"\n' + edge("nic1", "nic0"))
    assert site.instances[0].options.clock == "nic1"


@pytest.mark.parametrize(
    ("text", "path", "severity", "reason", "fix"),
    [
        (OC + edge("nic0", "nic0"), "edge[0]", ERROR, "cannot follow itself", "remove"),
        (OC + edge("nic0", "system") + edge("system", "nic0"), "edge[1]", ERROR, "nic0 -> system -> nic0", "remove"),
        (OC + edge("nic0", "system") + edge("nic0", "system"), "edge[1]", ERROR, "edge[0] is the same", "remove"),
        (BC + edge("nic0", "nic1"), "edge[0]", ERROR, "ports of one instance", "remove"),
        (BC + edge("nic0", "system") + edge("system", "nic1"), "edge[1]", ERROR, "loop", "remove"),
        (OC + edge("nic", "system"), "edge[0].from", ERROR, 'no clock "nic"', "did you mean"),
        (OC + edge("nic0", "systm"), "edge[0].to", ERROR, 'no clock "systm"', 'did you mean "system"'),
        (OC + '[[edge]]\nto = "system"\n', "edge[0]", ERROR, "from is missing", "add from"),
        (OC + edge("system", "nic0"), "edge[0]", NOTE, "steers it first", "at most one edge"),
        (OC + edge("nic0", "system", "samples = 26\n"), "edge[0].samples", ERROR, "26", "1..25"),
        (BC.replace('"nic1"', '"nic9"'), "instance[0].port[1].clock", ERROR, 'no clock "nic9"', "did you mean"),
        (OC, "clock[1]", WARNING, "no instance uses", "remove it"),
    ],
)
def test_findings_of_the_graph(text: str, path: str, severity: str, reason: str, fix: str) -> None:
    found = [f for f in parse_site(NICS + text)[1] if f.path == path]
    assert [f.severity for f in found] == [severity], found
    assert reason in found[0].reason
    assert fix in found[0].fix


def test_the_system_clock_cannot_follow_unless_it_may_be_steered() -> None:
    (found,) = parse_site(NICS.replace("steer = true", "") + BC + edge("nic0", "system"))[1]
    assert (found.path, found.severity) == ("edge[0].to", ERROR)
    assert "steer = true" in found.fix


def test_a_clock_of_an_edge_alone_needs_a_device() -> None:
    text = '[[clock]]\nname = "nic0"\ntype = "phc"\n[[clock]]\nname = "a"\n[[clock]]\nname = "b"\ntype = "phc"\n'
    found = parse_site(text + OC + edge("nic0", "a") + edge("nic0", "b"))[1]
    assert [f.path for f in found if "could tell which it is" in f.reason] == ["clock[1]", "clock[2]"]


GM = """[[clock]]
name = "nic0"
type = "phc"
{clock}[[instance]]
role = "grandmaster"
[[instance.port]]
interface = "eth0"
"""


@pytest.mark.parametrize(
    ("clock", "reference", "path", "reason"),
    [
        ("steer = false\n", "", "instance[0].reference.type", "not steered"),
        ("", 'tod = "nic0"\n', "instance[0].reference.tod", "cannot vouch for its own"),
        ("", 'tod = "nic"\n', "instance[0].reference.tod", 'no clock "nic"'),
        ("", "tod_error_s = 0.5\n", "instance[0].reference.tod_error_s", "out of range"),
    ],
)
def test_findings_of_pulses(clock: str, reference: str, path: str, reason: str) -> None:
    text = GM.format(clock=clock) + f'[instance.reference]\ntype = "pps"\naccuracy = "100 ns"\n{reference}'
    found = [f for f in parse_site(text)[1] if f.path == path]
    assert len(found) == 1, parse_site(text)[1]
    assert reason in found[0].reason


def test_pulses_into_the_system_clock_are_refused() -> None:
    text = GM.format(clock="").replace('"phc"', '"system"') + '[instance.reference]\ntype = "pps"\n'
    assert any("stamped by a PHC" in f.reason for f in parse_site(text)[1])


def test_keys_of_pulses_have_no_effect_elsewhere() -> None:
    text = GM.format(clock="") + '[instance.reference]\ntype = "declared"\nstate = "locked"\naccuracy = 33\npin = 1\n'
    (found,) = [f for f in parse_site(text)[1] if f.severity == WARNING]
    assert found.path == "instance[0].reference.pin"
    assert "not pps" in found.reason


def test_every_whole_example_of_the_guide_is_fine() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "graph.md").read_text()
    blocks = [block for block in re.findall(r"```toml\n(.*?)```", guide, re.DOTALL) if "[[instance]]" in block]
    assert len(blocks) == 3
    clock = '[[clock]]\nname = "nic0"\ntype = "phc"\ndevice = "/dev/ptp0"\n'
    for block in blocks:
        needs_clock = "nic0" in block and "[[clock]]" not in block
        found = parse_site((clock if needs_clock else "") + block)[1]
        assert [f for f in found if f.severity != NOTE] == []
