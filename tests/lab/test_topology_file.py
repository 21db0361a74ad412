"""Topology files: what is accepted, what is refused, and that every refusal says where and how to mend it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptpstack.lab.errors import Problem, TopologyError
from ptpstack.lab.sitefile import site_for, to_toml
from ptpstack.lab.topology_file import builtin_labs, load_topology, parse_topology
from tests.lab.beds import bed, event, fake, host

GOOD = bed(fake("gm", "priority2 = 1"), fake("oc", "client_only = true"), event(1.0, "kill", "gm"))


def problems(text: str) -> dict[str, tuple[str, str]]:
    with pytest.raises(TopologyError) as caught:
        parse_topology(text)
    assert all(p.reason and p.fix for p in caught.value.problems)
    return {p.path: (p.reason, p.fix) for p in caught.value.problems}


def test_a_good_file() -> None:
    topology = parse_topology(GOOD)
    assert [h.name for h in topology.hosts] == ["gm", "oc"]
    assert [h.links[0].address for h in topology.hosts] == ["10.77.0.1/24", "10.77.0.2/24"]
    assert topology.hosts[0].links[0].mac != topology.hosts[1].links[0].mac
    assert all(h.links[0].mac[0] & 3 == 2 for h in topology.hosts), "locally administered, not multicast"
    assert str(topology.events[0]) == "kill gm"


@pytest.mark.parametrize("name", builtin_labs())
def test_built_in_labs_are_good_and_steer_only_simulated_clocks(name: str) -> None:
    topology = load_topology(name)
    assert topology.name == name
    assert topology.description
    for node in topology.nodes:
        if node.kind == "ptpstack":
            assert isinstance(node.site, dict)
            assert [clock["type"] for clock in node.site["clock"]] == ["simulated"]
        else:
            assert node.kind == "ptp4l"
            assert "free_running 1" in node.config


def test_the_named_labs_exist() -> None:
    assert {"pair", "chain", "three-gm", "hospital", "interop-client"} <= set(builtin_labs())


def test_hospital_serves_three_departments_from_three_grandmasters() -> None:
    topology = load_topology("hospital")
    profiles = {
        node.label: [instance["profile"] for instance in node.site.get("instance", [])]
        for node in topology.nodes
        if isinstance(node.site, dict)
    }
    bridges = [n.label for n in topology.nodes if isinstance(n.site, dict) and "transparent" in n.site]
    assert bridges == ["theatre-tc"]
    departments = ["hospital-theatre", "hospital-imaging", "hospital-research"]
    assert [profiles[gm] for gm in ("gm-a", "gm-b", "gm-c")] == [departments] * 3
    assert profiles["bc"] == departments[:2]
    assert [str(e) for e in topology.events] == ["kill gm-a", "start gm-a"]
    assert [e.at_s / topology.duration_s for e in topology.events] == [0.5, 0.75]


def test_pairs_need_only_one_side() -> None:
    text = (
        'name = "p"\n'
        + host("a", "b:eth0")
        + '[[host]]\nname = "b"\n'
        + '[[node]]\nhost="a"\nkind="command"\ncommand=["x"]\n'
    )
    topology = parse_topology(text)
    a, b = topology.hosts
    assert a.links[0].peer == ("b", "eth0")
    assert b.links[0].peer == ("a", "eth0")
    assert {a.links[0].address, b.links[0].address} == {"10.78.0.1/24", "10.78.0.2/24"}
    # the same pair, written on both sides, is one pair
    both = parse_topology(text.replace('name = "b"\n', 'name = "b"\nlink = [{ interface = "eth0", to = "a:eth0" }]\n'))
    assert both.hosts == topology.hosts


def test_explicit_addresses_are_kept_and_not_given_twice() -> None:
    text = GOOD.replace('to = "sw"\n', 'to = "sw"\naddress = "10.77.0.1/24"\n', 1)
    assert [h.links[0].address for h in parse_topology(text).hosts] == ["10.77.0.1/24", "10.77.0.2/24"]
    twice = GOOD.replace('to = "sw"\n', 'to = "sw"\naddress = "10.9.0.1/24"\n')
    assert "taken" in problems(twice)["host[1].link[0].address"][0]


@pytest.mark.parametrize(
    ("old", "new", "path", "fix"),
    [
        ('to = "sw"', 'to = "sww"', "host[0].link[0].to", 'Did you mean "sw"?'),
        ('to = "sw"', 'to = "oc:"', "host[0].link[0].to", "bc:eth1"),
        ("duration_s", "durations_s", "durations_s", 'Did you mean "duration_s"?'),
        ('do = "kill"', 'do = "kil"', "event[0].do", 'Did you mean "kill"?'),
        ('node = "gm"', 'node = "gn"', "event[0].node", 'Did you mean "gm"?'),
        ("at_s = 1.0", "at_s = 5.0", "event[0].at_s", "duration_s larger"),
        ("at_s = 1.0", 'at_s = "1"', "event[0].at_s", "without quotes"),
        ("at_s = 1.0", "at_s = nan", "event[0].at_s", "finite"),
        ("at_s = 1.0\n", "", "event[0].at_s", "Add at_s"),
        ('host = "oc"', 'host = "pc"', "node[1].host", 'Did you mean "oc"?'),
        ('host = "oc"', 'host = "oc"\nkind = "ptpd"', "node[1].kind", "Did you mean"),
        ('host = "oc"', 'host = "gm"', "node[1].label", "label"),
        ('name = "oc"', 'name = "gm"', "host[1].name", "Rename"),
        ('name = "oc"', 'name = "o c"', "host[1].name", "letters"),
        ("settle_s = 0.0", "settle_s = 2.0", "settle_s", "smaller"),
        ('interface = "eth0"\nto', 'interface = "lo"\nto', "host[0].link[0].interface", "not lo"),
        ('to = "sw"', 'to = "sw"\naddress = "10.1.1.1"', "host[0].link[0].address", "prefix"),
        ('to = "sw"', 'to = "sw"\naddress = "10.1.1.1.1/8"', "host[0].link[0].address", "IPv4"),
        ('[[switch]]\nname = "sw"', '[switch]\nname = "sw"', "switch", "[[switch]]"),
        ('do = "kill"', 'do = "degrade"', "event[0]", "clock_class"),
        ('do = "kill"', 'do = "degrade"\nclock_class = 256', "event[0].clock_class", "Correct"),
        ('do = "kill"', 'do = "degrade"\nstate = "holdove"', "event[0].state", 'Did you mean "holdover"?'),
        ('do = "kill"', 'do = "restore"\ninstance = "ptq"', "event[0].instance", 'Did you mean "ptp"?'),
        ('do = "kill"', 'do = "link-down"\ninterface = "eth1"', "event[0].interface", 'Did you mean "eth0"?'),
        ('name = "bed"', "name = 7", "name", "double quotes"),
    ],
)
def test_refusals(old: str, new: str, path: str, fix: str) -> None:
    assert old in GOOD
    found = problems(GOOD.replace(old, new, 1))
    assert path in found, found
    assert fix in found[path][1]


def test_every_problem_is_told_at_once() -> None:
    found = problems(GOOD.replace('to = "sw"', 'to = "sv"').replace("at_s = 1.0", "at_s = 9.0"))
    assert {"host[0].link[0].to", "host[1].link[0].to", "event[0].at_s"} <= set(found)


@pytest.mark.parametrize("clock", ['type = "phc"', 'type = "system"\nsteer = true', "steer = true"])
def test_a_lab_steers_no_real_clock(clock: str) -> None:
    text = GOOD.replace("[[node.site.instance]]", f"[[node.site.clock]]\n{clock}\n[[node.site.instance]]", 1)
    assert "simulated" in problems(text)["node[0].site.clock[0]"][1]


@pytest.mark.parametrize("line", ["free_running 0", "time_stamping hardware", "uds_address /run/x"])
def test_a_ptp4l_that_could_steer_is_refused(line: str) -> None:
    text = bed(host("a"), f'[[node]]\nhost = "a"\nkind = "ptp4l"\nconfig = """\n[global]\n{line}\n"""\n')
    assert line.split()[0] in problems(text)["node[0].config"][0]


def test_degrade_is_for_ptpstack_only() -> None:
    text = bed(host("a"), '[[node]]\nhost = "a"\nkind = "ptp4l"\n', event(1, "degrade", "a", "clock_class = 248"))
    assert "ptp4l" in problems(text)["event[0].do"][0]


def test_phases() -> None:
    phase = '[[phase]]\nname = "x"\nfrom_s = 1.0\nto_s = {}\n'
    assert parse_topology(GOOD + phase.format(2.0)).phases[0].to_s == 2.0
    assert "phase[0].to_s" in problems(GOOD + phase.format(0.5))
    assert "phase[1].name" in problems(GOOD + phase.format(2.0) * 2)


def test_not_toml_and_not_there(tmp_path: Path) -> None:
    assert "line 1" in problems("name = \nx = 1")["(file)"][0]
    with pytest.raises(TopologyError, match="cannot be read"):
        load_topology(str(tmp_path / "none.toml"))
    with pytest.raises(TopologyError, match='Did you mean "hospital"'):
        load_topology("hospitl")


def test_a_site_file_is_found_beside_the_topology(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text('[[instance]]\nname = "x"\nport = [{ interface = "eth0" }]\n')
    text = bed(host("a"), '[[node]]\nhost = "a"\nsite = "site.toml"\n')
    (tmp_path / "lab.toml").write_text(text)
    node = load_topology(str(tmp_path / "lab.toml")).nodes[0]
    site = site_for(node, Path("/run/x.sock"))
    assert site["instance"][0]["name"] == "x"
    assert site["node"]["control"] == "/run/x.sock"
    assert "cannot be read" in problems(text.replace("site.toml", "other.toml"))["node[0].site"][0]


def test_a_site_as_text() -> None:
    site = '"""\n[[instance]]\nname = "x"\n"""'
    node = parse_topology(bed(host("a"), f'[[node]]\nhost = "a"\nlabel = "n"\nsite = {site}\n')).nodes[0]
    assert site_for(node, Path("/c"))["node"] == {"name": "n", "control": "/c"}
    assert "node[0].site.instance" in problems(bed(host("a"), '[[node]]\nhost = "a"\nsite = """\nx = 1\n"""\n'))


def test_lasting_scales_events_and_phases() -> None:
    topology = load_topology("hospital").lasting(20.0)
    assert [e.at_s for e in topology.events] == [10.0, 15.0]
    assert topology.phases[-1].to_s == 20.0
    assert topology.settle_s == 5.0
    assert load_topology("hospital").lasting(600.0).settle_s == 15.0


_scalars = (
    st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9)
)
_tables = st.recursive(
    st.dictionaries(st.text(min_size=1, max_size=5), _scalars, max_size=4),
    lambda inner: st.dictionaries(
        st.text(min_size=1, max_size=5), inner | st.lists(inner, min_size=1, max_size=3), max_size=3
    ),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None)
@given(_tables)
def test_toml_round_trip(document: dict[str, object]) -> None:
    assert tomllib.loads(to_toml(document)) == document


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_mutilated_file_is_refused_or_read_but_never_a_crash(data: st.DataObject) -> None:
    lines = GOOD.splitlines()
    index = data.draw(st.integers(0, len(lines) - 1))
    words = st.sampled_from(
        ["", "7", "x = []", "[host]", "[[node]]", 'to = "gm:eth0"', "at_s = -1", "site = 3", "link = [1]"]
    )
    lines[index] = data.draw(words)
    found: tuple[Problem, ...] = (Problem("(file)", "", ""),)
    try:
        topology = parse_topology("\n".join(lines))
    except TopologyError as error:
        found = error.problems
    else:
        assert all(link.address for host in topology.hosts for link in host.links)
    assert found
