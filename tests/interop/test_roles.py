"""Ports that are told what to be, against ptp4l: external port configuration, and static roles without Announce."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ptpstack.config.data import shipped
from tests.interop.bench import Bench, Outcome, need_peers, together, until
from tests.interop.frames import judge_frames

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.slow]

WITHIN_S = 40.0

SITE = """\
[node]
state_dir = "off"
[[clock]]
type = "simulated"
oscillator = "perfect"
[[instance]]
profile = "{profile}"
role = "{role}"
priority1 = {priority1}
external_port_configuration = true
"""
PORT = '[[instance.port]]\ninterface = "{}"\n'


def we_follow_a_worse_master(bench: Bench) -> None:
    a, b = bench.namespace("ours"), bench.namespace("theirs")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    ours = bench.site(a, SITE.format(profile="unrestricted", role="ordinary", priority1=1) + PORT.format("v0"))
    theirs = bench.ptp4l(b, "v1", priority1=200)
    ours.ready()
    until("we follow", lambda: ours.port_states()[0] in ("UNCALIBRATED", "SLAVE"), WITHIN_S)
    until("they serve", lambda: theirs.port_states() == ["MASTER"], WITHIN_S)
    assert ours.grandmaster() == theirs.grandmaster()


def we_serve_beside_a_better_master(bench: Bench) -> None:
    a, b = bench.namespace("ours"), bench.namespace("theirs")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    ours = bench.site(a, SITE.format(profile="unrestricted", role="grandmaster", priority1=200) + PORT.format("v0"))
    theirs = bench.ptp4l(b, "v1", priority1=1)
    ours.ready()
    until("they serve", lambda: theirs.port_states() == ["MASTER"], WITHIN_S)
    assert ours.port_states() == ["MASTER"]


def static_profile(bench: Bench) -> Path:
    """`unrestricted`, with static roles."""
    text = shipped("profiles", ".toml")["unrestricted.toml"].read_text()
    text = text.replace('bmca = "default"', 'bmca = "external"\nannounce = "none"').replace(
        '"unrestricted"', '"static"'
    )
    path = bench.folder / "static.toml"
    path.write_text(text)
    return path


def they_serve_without_announce(bench: Bench) -> None:
    a, b = bench.namespace("ours"), bench.namespace("theirs")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    text = SITE.format(profile=static_profile(bench), role="ordinary", priority1=128)
    ours = bench.site(a, text + PORT.format("v0"))
    bench.ptp4l(b, "v1", BMCA="noop", masterOnly=1, inhibit_announce=1)
    ours.ready()
    until("we follow", lambda: ours.port_states()[0] in ("UNCALIBRATED", "SLAVE"), WITHIN_S)
    until("we measure the path", lambda: ours.instance()["ports"][0]["counters"].get("rx-delay_resp", 0) > 2, WITHIN_S)
    assert ours.instance()["ports"][0]["counters"].get("rx-announce", 0) == 0


def we_serve_without_announce(bench: Bench) -> None:
    a, b = bench.namespace("ours"), bench.namespace("theirs")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    text = SITE.format(profile=static_profile(bench), role="grandmaster", priority1=128)
    ours = bench.site(a, text + PORT.format("v0"))
    theirs = bench.ptp4l(b, "v1", BMCA="noop", slaveOnly=1, ignore_source_id=1)
    ours.ready()
    until("they measure", lambda: len(theirs.offsets()) > 3, WITHIN_S)
    assert ours.instance()["ports"][0]["counters"].get("tx-announce", 0) == 0


SCENARIOS: dict[str, Any] = {
    "external: we follow a worse master": we_follow_a_worse_master,
    "external: we serve beside a better master": we_serve_beside_a_better_master,
    "static: they serve without Announce": they_serve_without_announce,
    "static: we serve without Announce": we_serve_without_announce,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("roles")


@pytest.fixture(scope="module")
def runs(folder: Any) -> dict[str, Outcome]:
    need_peers()
    return together(SCENARIOS, folder, at_once=2)


@pytest.mark.parametrize("case", SCENARIOS)
def test_ptp4l_agrees(runs: dict[str, Outcome], case: str) -> None:
    runs[case].get()


def test_every_frame_we_sent_is_well_formed(runs: dict[str, Outcome], folder: Any) -> None:
    assert judge_frames(runs.values(), folder)["SYNC"]
