"""Scenario files: every kind of mistake is found at its place, with a line and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from ptpstack.config.findings import ConfigError, Finding
from ptpstack.sim.scenario import EVENT_KEYS
from ptpstack.sim.scenario_file import builtin_scenarios, load_scenario, parse_scenario, scenario_text

GOOD = """\
name = "t"
title = "t"
length_s = 100
[[node]]
name = "gm"
role = "grandmaster"
[[node]]
name = "client"
role = "ordinary"
[[link]]
nodes = ["gm", "client"]
"""


def findings(text: str) -> list[Finding]:
    with pytest.raises(ConfigError) as error:
        parse_scenario(text)
    return list(error.value.findings)


def test_the_smallest_scenario() -> None:
    scenario = parse_scenario(GOOD)
    assert scenario.measured == "client"
    assert scenario.stats_from_s == 25.0
    assert scenario.links[0].name == "gm-client"
    assert scenario.links[0].forward.base_ns == 1000.0
    assert scenario.expect == scenario.events == scenario.published == ()


CASES = {
    "no node": ('name = "t"\ntitle = "t"\n', "node", "there is no node", "[[node]]"),
    "two of a name": (GOOD + '[[node]]\nname = "gm"\nrole = "clock"\n', "node[2].name", "two nodes", "rename"),
    "unknown key": (GOOD.replace("length_s", "lenght_s"), "lenght_s", "unknown key", "length_s"),
    "statistics after the end": (GOOD.replace("100\n", "100\nstats_from_s = 100\n"), "stats_from_s", "nothing", "smaller"),
    "phase beyond the grid": (GOOD.replace("100\n", "100\nsample_phase_s = 2\n"), "sample_phase_s", "within", "smaller"),
    "judged node": (GOOD.replace("100\n", '100\nmeasured = "clint"\n'), "measured", '"clint"', '"client"'),
    "who is on a link": (GOOD.replace('"gm", "client"', '"gm", "cleint"'), "link[0].nodes", '"cleint"', '"client"'),
    "link of one": (GOOD.replace('"gm", "client"', '"client"'), "link[0].nodes", "two different", "once"),
    "link is no list": (GOOD.replace('["gm", "client"]', '"gm"'), "link[0].nodes", "not a list", "brackets"),
    "ordinary with two ports": (
        GOOD + '[[link]]\nname = "b"\nnodes = ["gm", "client"]\n', "node[1].role", "on 2 links", "boundary",
    ),
    "nobody's node": (GOOD + '[[node]]\nname = "x"\nrole = "boundary"\n', "node[2].role", "on no link", "[[link]]"),
    "readings of a client": (
        GOOD.replace('"ordinary"\n', '"ordinary"\nreadings = { count = 2 }\n'), "node[1].readings", "follows", "role",
    ),
    "overload": (
        GOOD + '[[link.noise]]\nkind = "queueing"\nload = 0.9\nload_swing = 0.2\n', "link[0].noise[0]", "busy", "below 1",
    ),
    "event without its value": (
        GOOD + '[[event]]\nat_s = 1\nkind = "path"\nlink = "gm-client"\n', "event[0]", "change_ns is missing", "needs",
    ),
    "event with another's value": (
        GOOD + '[[event]]\nat_s = 1\nkind = "cut"\nlink = "gm-client"\nshare = 0.5\n', "event[0].share", "no share", "leave",
    ),
    "event of nobody": (GOOD + '[[event]]\nat_s = 1\nkind = "silent"\nnode = "gn"\n', "event[0].node", '"gn"', "gm, client"),
    "event after the end": (
        GOOD + '[[event]]\nat_s = 100\nkind = "silent"\nnode = "gm"\n', "event[0].at_s", "after the end", "earlier",
    ),
    "event that overtakes itself": (
        GOOD + '[[event]]\nat_s = 1\nkind = "silent"\nnode = "gm"\nfor_s = 5\nevery_s = 5\n',
        "event[0].every_s", "before it has ended", "larger",
    ),
    "event without an end": (
        GOOD + '[[event]]\nat_s = 1\nkind = "step"\nnode = "gm"\nstep_ns = 5\nfor_s = 5\n', "event[0].for_s", "not end", "out",
    ),
    "holdover": (GOOD + "[holdover]\nfrom_s = 5\nto_s = 500\n", "holdover", "stretch", "100"),
    "nothing expected": (GOOD + '[[expect]]\nfigure = "rms_ns"\n', "expect[0]", "neither", "one of them"),
    "unknown figure": (GOOD + '[[expect]]\nfigure = "rsm_ns"\nmust = 1\n', "expect[0].figure", '"rsm_ns"', '"rms_ns"'),
    "nothing published": (GOOD + '[[published]]\nname = "x"\nsource = "y"\n', "published[0]", "no figure", "rms_ns"),
    "unknown gains": (GOOD + '[servo]\ngains = "hardwear"\n', "servo.gains", '"hardwear"', '"hardware"'),
    "unknown profile": (GOOD.replace("100\n", '100\nprofile = "default"\n'), "profile", "no profile", "default-e2e"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_found_where_it_is(name: str) -> None:
    text, path, reason, fix = CASES[name]
    found = [f for f in findings(text) if f.path == path]
    assert len(found) == 1, findings(text)
    assert reason in found[0].reason
    assert fix in found[0].fix


def test_lines_are_told() -> None:
    [finding] = findings(GOOD + '[[event]]\nat_s = 1\nkind = "silent"\nnode = "gn"\n')
    assert finding.line == 15


def test_a_profile_gives_what_is_not_given() -> None:
    scenario = parse_scenario(GOOD.replace("100\n", '100\nprofile = "hospital-imaging"\nlog_sync_interval = 0\n'))
    assert (scenario.log_announce_interval, scenario.domain, scenario.log_sync_interval) == (0, 20, 0)


def test_one_direction_can_be_otherwise() -> None:
    text = GOOD + '[[link.noise]]\nkind = "exponential"\nmean_ns = 10\n[link.reverse]\nbase_ns = 5\n'
    link = parse_scenario(text).links[0]
    assert (link.forward.base_ns, link.reverse.base_ns) == (1000.0, 5.0)
    assert link.forward.noise == link.reverse.noise
    assert link.forward.noise[0].mean_ns == 10.0


def test_built_in_scenarios_use_every_kind_of_event() -> None:
    used = {event.kind for name in builtin_scenarios() for event in load_scenario(name).events}
    assert used == set(EVENT_KEYS) - {"loss"}


def test_a_file_is_as_good_as_a_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(scenario_text("d2"), encoding="utf-8")
    assert load_scenario(str(path)) == load_scenario("d2")


@pytest.mark.parametrize(
    ("name", "reason"), [("a11", "a1"), ("nowhere/a1.toml", "No such file"), (".", "regular file")]
)
def test_what_is_no_scenario(name: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        load_scenario(name)
