"""IEEE 802.1AS against Debian's ptp4l with its gPTP.cfg and automotive-*.cfg as shipped; relays of ours between two.

Added to those files is only what namespaces need: software time stamps, a threshold for the delay that they measure,
and what every ptp4l of this bench has.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ptpstack.wire.capture import read_capture
from ptpstack.wire.codec import decode
from ptpstack.wire.encapsulation import PtpPayload, extract
from ptpstack.wire.messages import Announce, FollowUp, Message, PdelayReq, Signaling, Sync
from ptpstack.wire.tlvs.announce import PathTrace
from ptpstack.wire.tlvs.ieee802_1as import FollowUpInformation, GptpCapable, MessageIntervalRequest
from tests.interop.bench import (
    Bench,
    Node,
    Outcome,
    Ptp4l,
    environment,
    identity,
    need_peers,
    pause,
    percentile,
    together,
    until,
)
from tests.interop.frames import judge_frames
from tests.netns import Namespace

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.slow]

CONFIGS = Path("/usr/share/doc/linuxptp/configs")
#: ns; a namespace's link measures some tens of microseconds
THRESHOLD = 10_000_000
WITHIN_S = 30.0
WATCH_S = 8.0

PORT = """\
[[instance.port]]
interface = "{interface}"
{more}
[instance.port.gptp]
delay_threshold_ns = {threshold}
min_delay_ns = -{threshold}
"""
LOCKED = '[instance.reference]\ntype = "declared"\nstate = "locked"\naccuracy = "100 ns"\n'


def ours(
    bench: Bench,
    namespace: Namespace,
    *interfaces: str,
    profile: str = "802-1as-2020",
    more: str = "",
    port: str = "",
    reference: str = "",
    oscillator: str = "tcxo",
    threshold: int = THRESHOLD,
) -> Node:
    automotive = profile == "automotive"
    ports = "".join(
        PORT.format(interface=name, more=port, threshold=threshold)
        if not automotive
        else f'[[instance.port]]\ninterface = "{name}"\n{port}\n'
        for name in interfaces
    )
    text = f"""\
[node]
state_dir = "off"
[[clock]]
type = "simulated"
oscillator = "{oscillator}"
[[instance]]
profile = "{profile}"
{more}
{ports}
{reference}
"""
    return bench.site(namespace, text)


def theirs(bench: Bench, namespace: Namespace, *interfaces: str, file: str = "gPTP.cfg", **options: Any) -> Ptp4l:
    text = (CONFIGS / file).read_text()
    own: dict[str, Any] = dict(re.findall(r"^(\w+)[ \t]+(\S+)[ \t]*$", text, re.MULTILINE))
    own.pop("network_transport")
    own |= {"neighborPropDelayThresh": THRESHOLD, "summary_interval": own["logSyncInterval"], **options}
    return bench.ptp4l(namespace, *interfaces, transport="l2", **own)


def capable(node: Node) -> bool:
    return all(port["gptp"]["as_capable"] for port in node.instance()["ports"])


def errors(client: Ptp4l) -> list[int]:
    """What it is off, while it is watched."""
    before = len(client.offsets())
    pause(WATCH_S)
    return [offset for offset, _ in client.offsets()[before:]]


def they_serve(profile: str, bench: Bench) -> dict[str, Any]:
    a, b = bench.namespace("ours"), bench.namespace("theirs")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    gm = theirs(bench, b, "v1", priority1=100)
    client = ours(bench, a, "v0", profile=profile, more='arb_is = "utc"').ready()
    until("we follow them and lock", client.locked, WITHIN_S)
    assert client.grandmaster() == identity(gm.get("DEFAULT_DATA_SET")["clockIdentity"])
    seen = []
    for _ in range(int(WATCH_S * 4)):
        seen.append(client.error_ns())
        pause(0.25)
    return {"errors": seen, "view": client.instance(), "them": gm.get("PORT_DATA_SET_NP")}


def we_serve(profile: str, bench: Bench) -> dict[str, Any]:
    a, b = bench.namespace("ours"), bench.namespace("theirs")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    gm = ours(
        bench, a, "v0", profile=profile, more='role = "grandmaster"', reference=LOCKED, oscillator="perfect"
    ).ready()
    client = theirs(bench, b, "v1")
    until("they follow us", lambda: client.grandmaster() == gm.grandmaster() and len(client.offsets()) > 8, WITHIN_S)
    return {"errors": errors(client), "view": gm.instance(), "them": client.get("PORT_DATA_SET_NP")}


def chain(relays: int, bench: Bench) -> dict[str, Any]:
    """ptp4l - relays of ours - ptp4l."""
    spaces = [bench.namespace(name) for name in ("gm", *(f"r{n}" for n in range(relays)), "end")]
    for number, (left, right) in enumerate(pairwise(spaces)):
        bench.wire(left, f"d{number}", right, f"u{number}")
    gm = theirs(bench, spaces[0], "d0", priority1=100)
    nodes = []
    for number, space in enumerate(spaces[1:-1]):
        bench.capture(space, f"d{number + 1}")
        nodes.append(ours(bench, space, f"u{number}", f"d{number + 1}", more='role = "boundary"\npriority1 = 246'))
    end = theirs(bench, spaces[-1], f"u{relays}", slaveOnly=1)
    for node in nodes:
        node.ready()
    master = identity(until("their identity", lambda: gm.get("DEFAULT_DATA_SET"), WITHIN_S)["clockIdentity"])
    until("the end follows", lambda: end.grandmaster() == master and len(end.offsets()) > 8, WITHIN_S)
    return {
        "errors": errors(end),
        "states": [node.port_states() for node in nodes],
        "views": [node.instance() for node in nodes],
        "steps": end.get("CURRENT_DATA_SET")["stepsRemoved"],
        "master": master,
    }


def they_serve_cars(bench: Bench) -> dict[str, Any]:
    a, b = bench.namespace("ours"), bench.namespace("theirs")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    gm = theirs(bench, b, "v1", file="automotive-master.cfg")
    port = "operational_log_sync_interval = 0\noperational_log_pdelay_req_interval = 1\n"
    client = ours(bench, a, "v0", profile="automotive", port=port).ready()
    until("we lock", client.locked, WITHIN_S)

    def slower() -> bool:
        return gm.get("PORT_DATA_SET")["logSyncInterval"] == "0"

    until("they send Sync as we have asked", slower, WITHIN_S)
    pause(3)
    return {"errors": [client.error_ns() + 37e9], "view": client.instance()}


def we_serve_cars(bench: Bench) -> dict[str, Any]:
    a, b = bench.namespace("ours"), bench.namespace("theirs")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    more = 'role = "grandmaster"'
    gm = ours(bench, a, "v0", profile="automotive", more=more, reference=LOCKED, oscillator="perfect").ready()
    client = theirs(bench, b, "v1", file="automotive-slave.cfg")
    until("they measure", lambda: len(client.offsets()) > 8, WITHIN_S)
    return {"errors": [e + 37e9 for e in errors(client)], "view": gm.instance()}


def far_away(bench: Bench) -> dict[str, Any]:
    """The threshold of the standard, which no namespace keeps."""
    a, b = bench.namespace("ours"), bench.namespace("theirs")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    theirs(bench, b, "v1", priority1=100)
    client = ours(bench, a, "v0", threshold=10).ready()
    until("they announce", lambda: client.instance()["ports"][0]["counters"].get("drop-not-as-capable"), WITHIN_S)
    pause(3)
    command = [sys.executable, "-m", "ptpstack", "status", "--control", client.control]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=environment()).stdout
    return {"view": client.instance(), "shown": shown}


SCENARIOS: dict[str, Any] = {
    "2020: they serve": partial(they_serve, "802-1as-2020"),
    "2011: they serve": partial(they_serve, "802-1as-2011"),
    "2020: we serve": partial(we_serve, "802-1as-2020"),
    "2011: we serve": partial(we_serve, "802-1as-2011"),
    "one relay": partial(chain, 1),
    "three relays": partial(chain, 3),
    "cars: they serve": they_serve_cars,
    "cars: we serve": we_serve_cars,
    "far away": far_away,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("gptp")


@pytest.fixture(scope="module")
def runs(folder: Any) -> dict[str, Outcome]:
    need_peers()
    return together(SCENARIOS, folder, at_once=5)


def told(name: str, values: list[float]) -> None:
    p95 = percentile([abs(v) for v in values], 0.95)
    print(f"{name}: median {statistics.median(values):+.0f} ns, p95 {p95:.0f} ns of {len(values)}")


def messages(run: Outcome, index: int = 0) -> list[Message]:
    payloads = (extract(frame) for frame in read_capture(run.captures[index]))
    return [decode(payload.octets) for payload in payloads if isinstance(payload, PtpPayload)]


def follow_ups(run: Outcome) -> list[FollowUpInformation]:
    """The TLV of every Follow_Up that we sent: exactly one, and first."""
    found = [m.tlvs for m in messages(run) if isinstance(m, FollowUp)]
    assert all(isinstance(tlvs[0], FollowUpInformation) and len(tlvs) == 1 for tlvs in found)
    return [tlv for tlvs in found for tlv in tlvs if isinstance(tlv, FollowUpInformation)]


#: What a busy machine's stamps may add to, ns: nothing here is wrong by less than a residence time
RIGHT_NS = 50_000


@pytest.mark.parametrize("edition", ["2011", "2020"])
def test_we_follow_ptp4l_with_its_gptp_configuration(runs: dict[str, Outcome], edition: str) -> None:
    run = runs[f"{edition}: they serve"].get()
    told(f"ours behind ptp4l, {edition}", run["errors"])
    assert abs(statistics.median(run["errors"])) < RIGHT_NS
    (port,) = run["view"]["ports"]
    assert (port["state"], port["gptp"]["as_capable"]) == ("SLAVE", True)
    assert port["gptp"]["decision"]["code"] == "as-capable"
    assert run["them"]["asCapable"] == "1"


@pytest.mark.parametrize("edition", ["2011", "2020"])
def test_ptp4l_with_its_gptp_configuration_follows_us(runs: dict[str, Outcome], edition: str) -> None:
    run = runs[f"{edition}: we serve"].get()
    told(f"ptp4l behind ours, {edition}", run["errors"])
    assert abs(statistics.median(run["errors"])) < RIGHT_NS
    assert run["them"]["asCapable"] == "1"


@pytest.mark.parametrize(("case", "relays"), [("one relay", 1), ("three relays", 3)])
def test_relays_of_ours_between_two_ptp4l(runs: dict[str, Outcome], case: str, relays: int) -> None:
    run = runs[case].get()
    told(f"ptp4l behind ptp4l, {case} between", run["errors"])
    assert abs(statistics.median(run["errors"])) < RIGHT_NS
    assert run["states"] == [["SLAVE", "MASTER"]] * relays
    assert run["steps"] == str(relays + 1)
    for view in run["views"]:
        assert identity(view["grandmaster"]["identity"]) == run["master"]
        # the Syncs of ptp4l come as often as ours go
        assert view["ports"][1]["gptp"]["sync_locked"]
    for number in range(relays):
        path = [m.tlvs for m in messages(runs[case], number) if isinstance(m, Announce)][-1]
        (trace,) = (tlv for tlv in path if isinstance(tlv, PathTrace))
        own = [identity(view["clock_identity"]) for view in run["views"][: number + 1]]
        assert [clock.hex() for clock in trace.path] == [run["master"], *own]


def test_what_a_relay_hands_on_is_the_grandmasters_origin(runs: dict[str, Outcome]) -> None:
    """preciseOrigin passes three relays as it came; what grows is the correction."""
    runs["three relays"].get()
    sent = [
        {m.precise_origin_ns: m.correction_sns for m in messages(runs["three relays"], n) if isinstance(m, FollowUp)}
        for n in range(3)
    ]
    common = set(sent[0]) & set(sent[1]) & set(sent[2])
    assert len(common) > 8
    assert all(0 < sent[0][origin] < sent[1][origin] < sent[2][origin] for origin in common)


def test_PRF_20_behind_a_longer_link_nothing_is_sent_but_peer_delay(runs: dict[str, Outcome]) -> None:
    run = runs["far away"].get()
    (port,) = run["view"]["ports"]
    assert "not asCapable: meanLinkDelay" in run["shown"]
    assert (port["state"], port["gptp"]["as_capable"]) == ("LISTENING", False)
    assert "above 10 ns" in port["gptp"]["decision"]["reason"]
    sent = {type(m).__name__ for m in messages(runs["far away"])}
    assert sent == {"PdelayReq", "PdelayResp", "PdelayRespFollowUp"}


@pytest.mark.parametrize("case", ["2020: we serve", "2011: we serve"])
def test_PRF_21_every_follow_up_has_its_information(runs: dict[str, Outcome], case: str) -> None:
    runs[case].get()
    sent = [m for m in messages(runs[case]) if isinstance(m, FollowUp)]
    assert len(sent) > 40
    assert len(follow_ups(runs[case])) == len(sent)


@pytest.mark.parametrize(
    "case", ["2020: we serve", "2011: we serve", "cars: we serve", "one relay", "2020: they serve"]
)
def test_PRF_23_every_message_goes_to_the_group_that_no_bridge_forwards(runs: dict[str, Outcome], case: str) -> None:
    runs[case].get()
    for frame in read_capture(runs[case].captures[0]):
        assert frame.octets[:6].hex(":") == "01:80:c2:00:00:0e"
        assert frame.octets[12:14].hex() == "88f7"
    for message in messages(runs[case]):
        assert message.sdo_id == 0x100
        minor = 0 if "2011" in case or "cars" in case else 1
        assert message.minor_version == minor
    requests = [m for m in messages(runs[case]) if isinstance(m, PdelayReq)]
    assert {m.log_interval for m in requests} == {0}


def test_what_the_editions_say_to_each_other(runs: dict[str, Outcome]) -> None:
    """Only 2020 says that it speaks gPTP; ptp4l takes no offence."""
    said = {}
    for edition in ("2011", "2020"):
        runs[f"{edition}: we serve"].get()
        said[edition] = [m.tlvs for m in messages(runs[f"{edition}: we serve"]) if isinstance(m, Signaling)]
    assert said["2011"] == []
    assert said["2020"]
    assert all(isinstance(tlvs[0], GptpCapable) for tlvs in said["2020"])


def test_PRF_28_a_client_in_a_car_asks_for_slower_syncs_once_it_is_locked(runs: dict[str, Outcome]) -> None:
    run = runs["cars: they serve"].get()
    told("ours behind ptp4l, automotive", run["errors"])
    sent = messages(runs["cars: they serve"])
    assert not any(isinstance(m, (Announce, Sync)) for m in sent)
    asked = [tlv for m in sent if isinstance(m, Signaling) for tlv in m.tlvs]
    assert next(tlv.time_sync_interval for tlv in asked if isinstance(tlv, MessageIntervalRequest)) == 0
    (port,) = run["view"]["ports"]
    assert (port["state"], port["gptp"]["decision"]["reason"]) == ("SLAVE", "the profile calls every link capable")
    # and measures its link less often, too
    assert {m.log_interval for m in sent if isinstance(m, PdelayReq)} == {0, 1}


def test_PRF_28_a_grandmaster_in_a_car_announces_nothing(runs: dict[str, Outcome]) -> None:
    run = runs["cars: we serve"].get()
    told("ptp4l behind ours, automotive", run["errors"])
    assert abs(statistics.median(run["errors"])) < RIGHT_NS
    sent = messages(runs["cars: we serve"])
    assert not any(isinstance(m, (Announce, Signaling)) for m in sent)
    assert sum(isinstance(m, Sync) for m in sent) > 40


def test_every_frame_we_sent_is_well_formed(runs: dict[str, Outcome], folder: Any) -> None:
    seen = judge_frames(runs.values(), folder)
    assert {"PDELAY_REQ", "PDELAY_RESP", "SYNC", "FOLLOW_UP", "ANNOUNCE", "SIGNALING"} <= set(seen)
