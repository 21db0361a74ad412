"""The common mean link delay service on a wire: three domains of two nodes, and a neighbour that has none."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.interop.bench import Bench, Outcome, json_lines, need_peers, pause, together, until
from tests.interop.frames import _tshark, expert_complaints, judge_frames
from tests.interop.test_synchronisation import follow

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.slow]

DOMAINS = (0, 7, 20)
NODE = '[node]\nstate_dir = "off"\n[[clock]]\ntype = "simulated"\n'
REFERENCE = '[instance.reference]\ntype = "declared"\nstate = "locked"\naccuracy = "100 ns"\n'


def site(role: str, transport: str, domains: tuple[int, ...] = DOMAINS) -> str:
    text = NODE + ('oscillator = "perfect"\n' if role == "gm" else "initial_error_ns = 100000\n")
    for domain in domains:
        text += f'[[instance]]\nname = "domain-{domain}"\nprofile = "unrestricted"\ndomain = {domain}\n'
        text += 'role = "grandmaster"\n' if role == "gm" else "client_only = true\n"
        text += f'[[instance.port]]\ninterface = "v0"\ntransport = "{transport}"\ndelay_mechanism = "COMMON_P2P"\n'
        text += "log_announce_interval = 0\n" + (REFERENCE if role == "gm" else "")
    return text


def three_domains(transport: str, bench: Bench) -> dict[str, Any]:
    a, b = bench.namespace("gm"), bench.namespace("oc")
    bench.wire(a, "v0", b, "v0")
    bench.capture(b, "v0")
    grandmaster = bench.site(a, site("gm", transport), name="gm").ready()
    client = bench.site(b, site("oc", transport), "--management", str(bench.folder / "oc.uds"), name="oc").ready()

    def all_follow() -> bool:
        return all(i["ports"][0]["state"] == "SLAVE" for i in client.ask("status")["instances"])

    until("three instances that follow", all_follow, 60, 0.5)
    pause(5)
    server = ("-u", "-s", str(bench.folder / "oc.uds"))

    def ask(name: str, *command: str) -> str:
        process = bench.run_beside(b, [*command, *server], name)
        process.wait()
        return process.text()

    def pmc(name: str, *where: str) -> str:
        own = str(bench.folder / f"{name}.uds")
        return ask(name, "pmc", "-b", "0", "-i", own, *where, "GET PORT_DATA_SET")

    def info() -> list[Any]:
        """Of both nodes: on a busy machine the other's answer may come after pmc has stopped waiting."""
        text = ask("info", sys.executable, "-m", "ptpstack", "pmc", "-d", "7", "--json", "GET CMLDS_INFO_NP")
        found = [answer["data"] for answer in json_lines(text) if answer["managementId"] == "CMLDS_INFO_NP"]
        return found if len(found) == 2 else []

    return {
        "gm": grandmaster.ask("status"),
        "oc": client.ask("status"),
        "error_ns": client.error_ns(),
        "pmc": {"service": pmc("service", "-t", "2", "-d", "0"), "domain-7": pmc("domain-7", "-d", "7")},
        "info": until("the node itself and the other over the wire tell of the service", info, 20),
    }


def ptp4l_measures_by_itself(transport: str, bench: Bench) -> dict[str, Any]:
    a, b = bench.namespace("gm"), bench.namespace("oc")
    bench.wire(a, "v0", b, "v1")
    grandmaster = bench.site(a, site("gm", transport, (0,)), name="gm").ready()
    client = bench.ptp4l(b, "v1", transport=transport, slaveOnly=1, delay_mechanism="P2P", logMinPdelayReqInterval=0)
    followed = follow([client])
    return {"followed": followed, "gm": grandmaster.ask("status"), "explain": grandmaster.ask("explain")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("common-links")


@pytest.fixture(scope="module")
def runs(folder: Path) -> dict[str, Outcome]:
    need_peers()
    return together(
        {
            "three/udp4": partial(three_domains, "udp4"),
            "three/l2": partial(three_domains, "l2"),
            "ptp4l/l2": partial(ptp4l_measures_by_itself, "l2"),
        },
        folder,
    )


@pytest.mark.parametrize("transport", ["udp4", "l2"])
def test_P2P_19_one_measurement_serves_three_domains_on_a_wire(runs: dict[str, Outcome], transport: str) -> None:
    seen = runs[f"three/{transport}"].get()
    for side in ("gm", "oc"):
        (link,) = seen[side]["link_delay_service"]["links"]
        assert link["valid"]
        assert 0 < link["mean_link_delay_ns"] < 1e6
        assert link["users"] == [f"domain-{d}" for d in DOMAINS]
        for instance in seen[side]["instances"]:
            assert instance["ports"][0]["mean_link_delay_ns"] is not None
            assert "tx-pdelay_req" not in instance["ports"][0]["counters"]
    assert abs(seen["error_ns"]) < 100_000


@pytest.mark.parametrize("transport", ["udp4", "l2"])
def test_pmc_reads_the_service_and_the_port_that_uses_it(runs: dict[str, Outcome], transport: str) -> None:
    seen = runs[f"three/{transport}"].get()
    assert "portState               PASSIVE" in seen["pmc"]["service"]
    assert "delayMechanism          2" in seen["pmc"]["service"]
    assert "delayMechanism          3" in seen["pmc"]["domain-7"]
    for info in seen["info"]:
        assert info["as_capable"] == 1
        assert info["meanLinkDelay"]["ns"] > 0


@pytest.mark.parametrize("transport", ["udp4", "l2"])
def test_HDR_01_the_judge_finds_the_services_frames_good(
    runs: dict[str, Outcome], transport: str, folder: Path
) -> None:
    outcome = runs[f"three/{transport}"]
    counted = judge_frames([outcome], folder)
    assert counted["PDELAY_REQ"] >= 8
    for path in outcome.captures:
        assert expert_complaints(path) == []
        rows = _tshark(path, "ptp.v2.messagetype in {2,3,10}", "ptp.v2.majorsdoid", "ptp.v2.domainnumber")
        assert {tuple(row.split("\t")) for row in rows} == {("0x02", "0")}


def test_P2P_20_ptp4l_without_the_service_is_answered_and_follows(runs: dict[str, Outcome]) -> None:
    seen = runs["ptp4l/l2"].get()
    assert seen["followed"]
    (port,) = seen["gm"]["instances"][0]["ports"]
    assert port["counters"]["tx-pdelay_resp"] > 5
    assert not seen["gm"]["link_delay_service"]["links"][0]["valid"]
    remarks = seen["explain"]["instances"][0]["ports"][0]["remarks"]
    assert any("the neighbour needs one, too" in remark for remark in remarks)
