"""Negotiated unicast with ptp4l, both ways: grants, renewal, fall-over; and what a stranger can do to a server of ours.

Everybody is on one bridge; no multicast is needed, and none is sent by our ports unless the scenario says so. Over
IEEE 802.3 ours talk to ours only: the ptp4l of Debian 12 calls a unicast port FAULTY there ("unexpected socket error")
as soon as it sends an event message, also against another ptp4l.
"""

from __future__ import annotations

import re
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ptpstack.wire.capture import read_capture
from ptpstack.wire.codec import decode
from ptpstack.wire.encapsulation import PtpPayload, extract
from ptpstack.wire.messages import Announce, DelayReq, FollowUp, Message, Signaling, Sync
from ptpstack.wire.types import Flag
from tests.interop.bench import Bench, Node, Outcome, Process, Ptp4l, identity, need_peers, pause, together, until
from tests.interop.frames import judge_frames
from tests.interop.test_failover import HOLDOVER_NS, follows, identity_of, switch
from tests.netns import Namespace

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.slow]

#: ptp4l asks for no less than 10 s
DURATION_S = 10
#: ptp4l keeps its own Announce interval in unicast; three of them and two Announces, and a busy machine
TAKE_OVER_S = 12.0
IP = ("udp4", "udp6")
ATTACKER = Path(__file__).with_name("unicast_attacker.py")

SITE = """
[[clock]]
name = "c"
type = "simulated"
oscillator = "{oscillator}"
[[instance]]
profile = "unrestricted"
{instance}
[[instance.port]]
interface = "eth"
transport = "{transport}"
log_announce_interval = 0
[instance.port.unicast]
{unicast}
"""


def addressed(bench: Bench, *names: str) -> dict[str, Namespace]:
    """Namespaces around a bridge, with addresses of both versions of IP."""
    made = switch(bench, *names)
    for number, namespace in enumerate(made.values(), 1):
        namespace.ip(f"address add fe80::{number}/64 dev eth nodad")
        namespace.ip(f"address add fd00:78::{number}/64 dev eth nodad")
    return made


def our_server(
    bench: Bench, namespace: Namespace, transport: str = "udp4", priority1: int = 100, **unicast: Any
) -> Node:
    settings = {"serve": "true", "multicast": "false", **unicast}
    text = SITE.format(
        oscillator="perfect",
        instance=f'role = "grandmaster"\npriority1 = {priority1}',
        transport=transport,
        unicast="\n".join(f"{key} = {value}" for key, value in settings.items()),
    )
    return bench.site(namespace, text).ready()


def our_client(bench: Bench, namespace: Namespace, *servers: str, transport: str = "udp4", arb: bool = True) -> Node:
    text = SITE.format(
        oscillator="ocxo",
        instance="client_only = true" + ('\narb_is = "utc"' if arb else ""),
        transport=transport,
        unicast=f"duration_s = {DURATION_S}\n"
        + "".join(f'[[instance.port.unicast.server]]\naddress = "{address}"\n' for address in servers),
    )
    return bench.site(namespace, text).ready()


def their_client(bench: Bench, namespace: Namespace, *servers: str, transport: str = "udp4", **options: Any) -> Ptp4l:
    kind = {"udp4": "UDPv4", "udp6": "UDPv6"}[transport]
    table = "[unicast_master_table]\ntable_id 1\nlogQueryInterval 0\n" + "".join(f"{kind} {s}\n" for s in servers)
    return bench.ptp4l(
        namespace,
        "eth",
        transport=transport,
        slaveOnly=1,
        priority1=255,
        unicast_master_table=1,
        sections=table,
        **{"unicast_req_duration": DURATION_S, **options},
    )


def their_server(bench: Bench, namespace: Namespace, transport: str = "udp4", **options: Any) -> Ptp4l:
    return bench.ptp4l(namespace, "eth", transport=transport, unicast_listen=1, inhibit_multicast_service=1, **options)


def address_of(namespace: Namespace, transport: str) -> str:
    if transport == "l2":
        found = re.search(r"link/ether (\S+)", namespace.ip("link show dev eth"))
    elif transport == "udp6":
        found = re.search(r"inet6 (fd[0-9a-f:]+)/", namespace.ip("address show dev eth"))
    else:
        found = re.search(r"inet ([0-9.]+)/", namespace.ip("address show dev eth"))
    assert found is not None
    return found[1]


def settled_ns(client: Node) -> float:
    """The true error of a client that has locked, once what it began with is slewed away."""
    until("a small error", lambda: abs(client.error_ns()) < HOLDOVER_NS, 20)
    return client.error_ns()


def services(node: Node, address: str) -> dict[str, str]:
    """What our client is granted by a server."""
    servers = node.instance()["ports"][0]["unicast"]["servers"]
    (server,) = [s for s in servers if s["address"] == address]
    return {s["message_type"]: s["state"] for s in server["services"]}


def grants(node: Node) -> list[tuple[str, str]]:
    """(address, message type) of what a server of ours has granted."""
    return [(g["address"], g["message_type"]) for g in node.instance()["ports"][0]["unicast"]["service"]["grants"]]


GRANTED = dict.fromkeys(("ANNOUNCE", "SYNC", "DELAY_RESP"), "granted")


def ours_asks_ptp4l(transport: str, bench: Bench) -> dict[str, Any]:
    """Two ptp4l servers; the better one is killed."""
    ns = addressed(bench, "first", "second", "oc")
    bench.capture(ns["oc"], "eth")
    first = their_server(bench, ns["first"], transport, priority1=100)
    second = their_server(bench, ns["second"], transport, priority1=110)
    addresses = [address_of(ns[name], transport) for name in ("first", "second")]
    client = our_client(bench, ns["oc"], *addresses, transport=transport)
    best, backup = identity_of(first), identity_of(second)
    follows(client, best, 20)
    until("a locked client", client.locked, 30)
    # past the end of the first grants
    pause(DURATION_S + 2)
    before = {"states": client.port_states(), "services": services(client, addresses[0])}
    measured = client.instance()["ports"][0]["counters"]["rx-delay_resp"]
    first.kill()
    took_s = follows(client, backup, TAKE_OVER_S)
    until("grants of the second", lambda: services(client, addresses[1]) == GRANTED, 10)
    until("a lock to the second", client.locked, 20)
    return {
        "before": before,
        "measured": measured,
        "took_s": took_s,
        "error_ns": settled_ns(client),
        "counters": client.instance()["ports"][0]["counters"],
    }


def ptp4l_asks_ours(transport: str, bench: Bench) -> dict[str, Any]:
    """Two servers of ours; the better one is killed."""
    ns = addressed(bench, "first", "second", "oc")
    bench.capture(ns["first"], "eth")
    bench.capture(ns["second"], "eth")
    first = our_server(bench, ns["first"], transport, 100, min_duration_s=DURATION_S)
    addresses = [address_of(ns[name], transport) for name in ("first", "second")]
    client = their_client(bench, ns["oc"], *addresses, transport=transport)
    follows(client, identity(first.instance()["clock_identity"]), 20)
    # ptp4l, running free, is not taken along when the best master changes under it: the second comes later
    second = our_server(bench, ns["second"], transport, 110)
    until("measurements under the first", lambda: len(client.offsets()) >= DURATION_S + 4, 40)
    held = grants(first)
    refused = first.instance()["ports"][0]["unicast"]["service"]["refusals"]
    first.kill()
    took_s = follows(client, identity(second.instance()["clock_identity"]), TAKE_OVER_S)
    before = len(client.offsets())
    until("measurements under the second", lambda: len(client.offsets()) >= before + 4, 20)
    return {
        "held": held,
        "client": address_of(ns["oc"], transport),
        "refused": refused,
        "took_s": took_s,
        "offsets": [offset for offset, _ in client.offsets()],
        "backup": grants(second),
    }


def ours_asks_ours(transport: str, bench: Bench) -> dict[str, Any]:
    """A server that is stopped and started again, and a link that goes down for a while."""
    ns = addressed(bench, "gm", "oc")
    bench.capture(ns["gm"], "eth")
    bench.capture(ns["oc"], "eth")
    server = our_server(bench, ns["gm"], transport)
    address = address_of(ns["gm"], transport)
    client = our_client(bench, ns["oc"], address, transport=transport, arb=False)
    until("a locked client", client.locked, 30)
    asked = len(grants(server))
    ns["oc"].ip("link set dev eth down")
    until("a faulty port", lambda: client.port_states() == ["FAULTY"], 10)
    pause(3)
    ns["oc"].ip("link set dev eth up")
    until("a lock after the link was down", client.locked, 30)
    server.kill()
    until("no server", lambda: client.port_states() == ["LISTENING"], 15)
    again = bench.site(ns["gm"], (bench.folder / "node-gm.toml").read_text(), name="node-gm-again").ready()
    until("a lock after the restart", client.locked, 40)
    return {
        "asked": asked,
        "held": sorted(kind for _, kind in grants(again)),
        "services": services(client, address),
        "error_ns": settled_ns(client),
        "explained": client.ask("explain")["instances"][0]["ports"][0]["remarks"],
    }


def both_at_one_port(bench: Bench) -> dict[str, Any]:
    """A grandmaster of ours for a multicast client and a unicast client; and hybrid ones, both ways."""
    ns = addressed(bench, "gm", "group", "single", "hybrid", "ours")
    bench.capture(ns["gm"], "eth")
    bench.capture(ns["ours"], "eth")
    server = our_server(bench, ns["gm"], multicast="true")
    clients = {
        "group": bench.ptp4l(ns["group"], "eth", slaveOnly=1, priority1=255),
        "single": their_client(bench, ns["single"], address_of(ns["gm"], "udp4")),
        "hybrid": bench.ptp4l(ns["hybrid"], "eth", slaveOnly=1, priority1=255, hybrid_e2e=1),
    }
    ours = bench.site(
        ns["ours"],
        SITE.format(
            oscillator="ocxo", instance="client_only = true", transport="udp4", unicast="unicast_delay_req = true"
        ),
    ).ready()
    for name, client in clients.items():
        until(f"measurements of {name}", lambda client=client: len(client.offsets()) >= 5, 40)  # type: ignore[misc]
    until("our hybrid client locked", ours.locked, 30)
    return {
        "offsets": {name: [offset for offset, _ in client.offsets()] for name, client in clients.items()},
        "error_ns": settled_ns(ours),
        "held": grants(server),
        "single": address_of(ns["single"], "udp4"),
        "counters": server.instance()["ports"][0]["counters"],
    }


#: what Debian's examples of these profiles set, and a class that a client of G.8265.1 may follow
TELECOM: dict[str, dict[str, Any]] = {
    "g8275-2": {"domainNumber": 44, "dataset_comparison": "G.8275.x", "unicast_req_duration": 60},
    "g8265-1": {"domainNumber": 4, "clockClass": 84, "unicast_req_duration": 60},
}


def telecom(profile: str, bench: Bench) -> dict[str, Any]:
    """Our client behind ptp4l and ptp4l behind our server, both by a telecom profile."""
    ns = addressed(bench, "theirs", "ours", "server", "client")
    bench.capture(ns["ours"], "eth")
    bench.capture(ns["server"], "eth")
    settings = TELECOM[profile]
    master = their_server(bench, ns["theirs"], **settings)
    head = f'[[clock]]\nname = "c"\ntype = "simulated"\noscillator = "%s"\n[[instance]]\nprofile = "{profile}"\n'
    ours = bench.site(
        ns["ours"],
        head % "ocxo"
        + 'client_only = true\narb_is = "utc"\n[[instance.port]]\ninterface = "eth"\nlog_announce_interval = 0\n'
        + f'[[instance.port.unicast.server]]\naddress = "{address_of(ns["theirs"], "udp4")}"\n',
    ).ready()
    server = bench.site(
        ns["server"],
        head % "perfect"
        + 'role = "grandmaster"\n[[instance.port]]\ninterface = "eth"\nlog_announce_interval = 0\n'
        + '[instance.port.unicast]\nserve = true\n[instance.reference]\ntype = "simulated"\naccuracy = "100 ns"\n',
    ).ready()
    until("a reference that is locked", lambda: server.ask("status")["references"][0]["state"] == "locked", 20)
    client = their_client(
        bench, ns["client"], address_of(ns["server"], "udp4"), logSyncInterval=-4, summary_interval=-4, **settings
    )
    follows(ours, identity_of(master), 30)
    until("our client locked", ours.locked, 30)
    until("measurements of ptp4l", lambda: len(client.offsets()) >= 10, 30)
    return {
        "error_ns": settled_ns(ours),
        "services": services(ours, address_of(ns["theirs"], "udp4")),
        "decision": ours.instance()["ports"][0]["decision"],
        "class": server.instance()["grandmaster"]["clock_class"],
        "grants": server.instance()["ports"][0]["unicast"]["service"]["grants"],
        "offsets": [offset for offset, _ in client.offsets()],
    }


def attacked(bench: Bench) -> dict[str, Any]:
    """A ptp4l client and one of ours while somebody asks under a thousand names, for the absurd, and for silence."""
    ns = addressed(bench, "gm", "theirs", "ours", "attacker")
    bench.capture(ns["gm"], "eth")
    server = our_server(bench, ns["gm"], max_clients=100)
    theirs = their_client(bench, ns["theirs"], address_of(ns["gm"], "udp4"))
    ours = our_client(bench, ns["ours"], address_of(ns["gm"], "udp4"), arb=False)
    until("measurements of ptp4l", lambda: len(theirs.offsets()) >= 3, 30)
    until("our client locked", ours.locked, 30)
    before = len(theirs.offsets())
    victims = [
        f"{address_of(ns[name], 'udp4')}={identity(node)}"
        for name, node in (("theirs", identity_of(theirs)), ("ours", ours.instance()["clock_identity"]))
    ]
    start = time.monotonic()
    attacker = Process(
        [
            *(sys.executable, str(ATTACKER), "eth", address_of(ns["gm"], "udp4")),
            *(address_of(ns["gm"], "l2"), address_of(ns["attacker"], "udp4"), *victims),
        ],
        ns["attacker"],
        bench.folder / "attacker.log",
    )
    bench._running(attacker)
    status = attacker.wait(120)
    until("measurements after it", lambda: len(theirs.offsets()) >= before + 15, 40)
    lasted_s = time.monotonic() - start
    port = server.instance()["ports"][0]
    return {
        "attacker": (status, attacker.text()),
        "offsets": [offset for offset, _ in theirs.offsets()[before:]],
        "lasted_s": lasted_s,
        "error_ns": settled_ns(ours),
        "states": ours.port_states(),
        "services": services(ours, address_of(ns["gm"], "udp4")),
        "service": port["unicast"]["service"],
        "counters": port["counters"],
        "channel": server.ask("status")["channels"][0]["counters"],
        "log": server.text(),
        "addresses": [address_of(ns[name], "udp4") for name in ("theirs", "ours")],
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("unicast")


@pytest.fixture(scope="module")
def runs(folder: Any) -> dict[str, Outcome]:
    need_peers()
    scenarios: dict[str, Any] = {
        **{f"ours asks, {transport}": partial(ours_asks_ptp4l, transport) for transport in IP},
        **{f"ptp4l asks, {transport}": partial(ptp4l_asks_ours, transport) for transport in IP},
        **{f"ours asks ours, {transport}": partial(ours_asks_ours, transport) for transport in ("udp4", "l2")},
        **{profile: partial(telecom, profile) for profile in TELECOM},
        "both": both_at_one_port,
        "attacked": attacked,
    }
    return together(scenarios, folder, at_once=4)


@pytest.mark.parametrize("transport", IP)
def test_our_client_is_served_by_ptp4l_and_goes_to_the_second(runs: dict[str, Outcome], transport: str) -> None:
    run = runs[f"ours asks, {transport}"].get()
    assert run["before"]["states"] == ["SLAVE"]
    # a renewal may be under way just then
    assert set(run["before"]["services"].values()) <= {"granted", "renewing"}
    assert run["measured"] >= 8
    assert run["took_s"] <= TAKE_OVER_S
    assert abs(run["error_ns"]) < HOLDOVER_NS
    assert not any(name.startswith("unicast-refused") for name in run["counters"])


@pytest.mark.parametrize("transport", IP)
def test_ptp4l_is_served_by_ours_and_goes_to_the_second(runs: dict[str, Outcome], transport: str) -> None:
    run = runs[f"ptp4l asks, {transport}"].get()
    for kind in ("ANNOUNCE", "SYNC", "DELAY_RESP"):
        assert (run["client"], kind) in run["held"]
        assert (run["client"], kind) in run["backup"]
    assert run["refused"] == []
    assert run["took_s"] <= TAKE_OVER_S
    assert max(abs(offset) for offset in run["offsets"]) < 1_000_000


@pytest.mark.parametrize("transport", ["udp4", "l2"])
def test_our_client_and_our_server_survive_links_and_restarts(runs: dict[str, Outcome], transport: str) -> None:
    run = runs[f"ours asks ours, {transport}"].get()
    assert run["asked"] == 3
    assert run["held"] == ["ANNOUNCE", "DELAY_RESP", "SYNC"]
    assert set(run["services"].values()) <= {"granted", "renewing"}
    assert abs(run["error_ns"]) < HOLDOVER_NS
    assert any("followed: ANNOUNCE granted, every 1 s" in remark for remark in run["explained"])


@pytest.mark.parametrize(("profile", "clock_class"), [("g8275-2", 6), ("g8265-1", 84)])
def test_telecom_profiles_with_ptp4l(runs: dict[str, Outcome], profile: str, clock_class: int) -> None:
    run = runs[profile].get()
    assert abs(run["error_ns"]) < HOLDOVER_NS
    assert run["services"] == GRANTED
    assert run["class"] == clock_class
    assert {grant["log_interval"] for grant in run["grants"] if grant["message_type"] == "SYNC"} == {-4}
    assert all(grant["expires_in_s"] <= 60 for grant in run["grants"])
    assert max(abs(offset) for offset in run["offsets"]) < 1_000_000


def test_multicast_unicast_and_hybrid_clients_of_one_port(runs: dict[str, Outcome]) -> None:
    run = runs["both"].get()
    for name, offsets in run["offsets"].items():
        assert max(abs(offset) for offset in offsets) < 1_000_000, name
    assert abs(run["error_ns"]) < HOLDOVER_NS
    assert {address for address, _ in run["held"]} == {run["single"]}


def test_a_hostile_stranger_changes_nothing_for_the_clients(runs: dict[str, Outcome]) -> None:
    run = runs["attacked"].get()
    status, said = run["attacker"]
    assert status == 0, said
    assert "Traceback" not in run["log"]
    # theirs went on measuring once a second
    assert len(run["offsets"]) >= 0.7 * run["lasted_s"]
    assert max(abs(offset) for offset in run["offsets"]) < 1_000_000
    assert run["states"] == ["SLAVE"]
    assert abs(run["error_ns"]) < HOLDOVER_NS
    assert set(run["services"].values()) <= {"granted", "renewing"}
    service, counters = run["service"], run["counters"]
    assert service["clients"] <= 100
    for address in run["addresses"]:
        assert {g["message_type"] for g in service["grants"] if g["address"] == address} == {
            "ANNOUNCE",
            "SYNC",
            "DELAY_RESP",
        }
    assert counters["unicast-cancel-unknown"] >= 100
    # a thousand names: whichever limit they reach first
    assert sum(counters.get(f"unicast-refused-{limit}", 0) for limit in ("clients", "rate")) > 100
    assert counters["unicast-refused-interval"] > 0
    assert counters["unicast-refused-duration"] > 0
    assert counters["unicast-refused-message-type"] > 0
    assert counters["drop-signaling-rate"] > 0
    assert counters["drop-delay-req-without-grant"] > 0
    # the addresses that nobody is at were given up
    assert counters["unicast-client-unreachable"] > 0


def test_every_frame_we_sent_is_well_formed(runs: dict[str, Outcome], folder: Any) -> None:
    seen = judge_frames(runs.values(), folder)
    for kind in ("ANNOUNCE", "SYNC", "FOLLOW_UP", "DELAY_REQ", "DELAY_RESP", "SIGNALING"):
        assert seen[kind], kind


def test_HDR_14_and_TRN_05_what_goes_to_one_address_says_so(runs: dict[str, Outcome]) -> None:
    unicast: dict[bool, set[type[Message]]] = {False: set(), True: set()}
    for name, outcome in runs.items():
        for path in outcome.captures:
            for frame in read_capture(path):
                payload = extract(frame)
                assert isinstance(payload, PtpPayload)
                message = decode(payload.octets)
                # the lowest bit of the first octet: a group address
                group = bool(frame.octets[0] & 1)
                assert bool(message.flags & Flag.UNICAST) is not group, (name, message)
                unicast[not group].add(type(message))
                if not group and isinstance(message, Sync | FollowUp):
                    assert message.log_interval == 0x7F
    assert unicast[True] >= {Announce, Sync, FollowUp, Signaling, DelayReq}
    assert unicast[False] >= {Announce, Sync, FollowUp}
