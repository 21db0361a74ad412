"""Faults planted on the machine, for real: links, ports, packet filter, bridges, rights, daemons, files."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ptpstack.net import device
from tests.doctor import labs, nft
from tests.netns import Namespace, namespaces, veth

pytestmark = [pytest.mark.namespaces]

#: holds UDP port 319 alone until it is killed
HOLDER = "import socket, time; s = socket.socket(2, 2); s.bind(('', 319)); time.sleep(60)"

#: ETHTOOL_SSET: 10 Mbit/s, half duplex
HALF_DUPLEX = bytearray(struct.pack("=IIIHB29x", 2, 0, 0, 10, 0))

SITE = """
[node]
leap_file = "{leap}"
[[clock]]
type = "simulated"
[[instance]]
role = "ordinary"
client_only = true
domain = 99
[[instance.port]]
interface = "va"
[[instance]]
role = "ordinary"
client_only = true
domain = 3
[[instance.port]]
interface = "bp"
transport = "udp4"
"""


def expired_leap_file(path: Path) -> str:
    """A good list, but for its age: of 2017, expired in the same year."""
    from ptpstack.timebase.leap import LeapTable
    from ptpstack.timebase.leapfile import leap_file_digest

    ntp = 2_208_988_800
    updated, expires = 1_484_000_000 + ntp, 1_498_600_000 + ntp
    entries = [(entry.utc_s + ntp, entry.tai_minus_utc) for entry in LeapTable.built_in().entries]
    digest = leap_file_digest(updated, expires, entries)
    lines = [f"#$ {updated}", f"#@ {expires}", *(f"{at} {offset}" for at, offset in entries)]
    lines.append("#h " + " ".join(digest[i : i + 8] for i in range(0, 40, 8)))
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def plant(machine: Namespace, rules: list[bytes], **how: Any) -> None:
    try:
        machine.call(lambda: nft.plant(rules, **how))
    except OSError as error:
        pytest.skip(f"this kernel has no nf_tables: {error}")


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("doctor")
    site = folder / "site.toml"
    site.write_text(SITE.format(leap=expired_leap_file(folder / "leap-seconds.list")))
    with namespaces("m", "n") as ns:
        m, n = ns["m"], ns["n"]
        veth(m, "va", n, "vb", "10.0.0.1/24", "10.0.0.2/24")
        # a cable whose far end is off, an interface that is off, one without multicast, one upon another
        m.ip("link add nc type veth peer name ncp")
        m.ip("link set nc up")
        m.ip("link add off type veth peer name offp")
        m.ip("link add mc type veth peer name mcp")
        for name in ("mc", "mcp"):
            m.ip(f"link set {name} up")
        m.ip("link set mc multicast off")
        m.ip("link add link mcp name mv type macvlan mode bridge")
        m.ip("link set mv up")
        # a tap may be told that it is half duplex at 10 Mbit/s
        m.ip("tuntap add dev tap0 mode tap")
        m.ip("link set tap0 up")
        m.call(device.ethtool, "tap0", HALF_DUPLEX)
        m.ip("link add br0 type bridge mcast_snooping 1 mcast_querier 0 stp_state 1 forward_delay 3000")
        m.ip("link add bp type veth peer name bpp")
        m.ip("link set bp master br0")
        for name in ("br0", "bp", "bpp"):
            m.ip(f"link set {name} up")
        plant(m, [nft.comes_by("va") + nft.l4_is_udp() + nft.load_u16(2) + nft.equals(b"\x01\x3f") + nft.verdict(0)])
        with n.popen(
            labs.PYTHON, "-m", "tests.doctor.wire", "vb", cwd=labs.REPOSITORY, stdout=subprocess.DEVNULL
        ) as far:
            try:
                interfaces = " ".join(
                    f"-i {name}" for name in ("va", "nc", "off", "mc", "mv", "tap0", "br0", "bp", "nix0")
                )
                holder = f'{labs.PYTHON} -c "{HOLDER}" & sleep 0.5'
                yield labs.doctor(m, f"{interfaces} --listen 2 --config {site}", before=holder)
            finally:
                far.kill()


PLANTED = {
    "interface off": ("link-off", "off|"),
    "no carrier": ("no-carrier", "nc|"),
    "half duplex": ("half-duplex", "tap0|"),
    "10 Mbit/s": ("slow-link", "tap0|"),
    "no multicast": ("no-multicast", "mc|"),
    "macvlan": ("stacked-interface", "mv|"),
    "no such interface": ("no-interface", "nix0|"),
    "port 319 taken": ("port-taken", "UDP 319|"),
    "nft drops 319": ("firewall-drops", "va|rule 1 of chain inet planted c drops event messages"),
    "snooping without querier": ("snooping-without-querier", "br0|"),
    "spanning tree blocks": ("bridge-port-blocked", "bp|"),
    "UDP on a bridge port": ("udp-on-bridge-port", "bp|"),
    "no IPv4 address": ("no-ipv4-address", "bp|"),
    "expired leap file": ("leap-table-expired", "2017"),
    "wrong domain": ("nobody-in-domain", "va domain 99|"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(answer: dict[str, Any], fault: str) -> None:
    id_, where = PLANTED[fault]
    hits = labs.found(answer, id_, where)
    assert hits, f"no {id_} at {where}: {labs.troubles(answer)}"
    assert all(hit["advice"] for hit in hits)


def test_the_rule_is_not_charged_to_what_it_does_not_drop(answer: dict[str, Any]) -> None:
    """One rule: event messages that come in by va. Not general ones, not those that leave, not other interfaces."""
    dropped = labs.found(answer, "firewall-drops")
    assert [(f["subject"], f["severity"]) for f in dropped] == [("va", "error"), ("va", "note")]
    for finding, transport in zip(dropped, ("UDPv4", "UDPv6"), strict=True):
        assert finding["evidence"].endswith(f"drops event messages over {transport} (received)")


def test_the_holder_of_the_port_is_named(answer: dict[str, Any]) -> None:
    assert "python" in labs.found(answer, "port-taken")[0]["evidence"]
    assert "pid" in labs.found(answer, "port-taken")[0]["evidence"]


def _with_rules(m: Namespace, rules: list[bytes], policy: int = nft.ACCEPT) -> dict[str, Any]:
    plant(m, rules, policy=policy)
    return labs.doctor(m, "-i va --listen 0")


def test_a_policy_of_drop_without_an_exception() -> None:
    with namespaces("m", "n") as ns:
        veth(ns["m"], "va", ns["n"], "vb", "10.0.0.1/24", "10.0.0.2/24")
        answer = _with_rules(ns["m"], [], nft.DROP)
        (dropped,) = labs.found(answer, "firewall-drops")
        assert "the policy of chain inet planted c (drop)" in dropped["evidence"]
        # nobody speaks PTP there, and nothing says by which transport it is to come
        assert dropped["severity"] == "warning"


def test_a_policy_of_drop_with_ptp_let_in_is_fine_and_a_limit_is_uncertain() -> None:
    port = nft.l4_is_udp() + nft.load_u16(2)
    with namespaces("m", "n") as ns:
        veth(ns["m"], "va", ns["n"], "vb", "10.0.0.1/24", "10.0.0.2/24")
        answer = _with_rules(ns["m"], [port + nft.between(319, 320) + nft.verdict(1)], nft.DROP)
        assert labs.troubles(answer) == []
        assert labs.found(answer, "firewall-open")
        plant(ns["m"], [port + nft.equals(b"\x01\x40") + nft.limit() + nft.verdict(0)], hook=3, table="second")
        answer = labs.doctor(ns["m"], "-i va --listen 0")
        (unsure,) = labs.found(answer, "firewall-may-drop")
        assert "general messages over UDPv4, general messages over UDPv6 (sent)" in unsure["evidence"]


def test_without_capabilities_it_says_what_is_lacking_and_what_it_could_not_see() -> None:
    with namespaces("m", "n") as ns:
        veth(ns["m"], "va", ns["n"], "vb", "10.0.0.1/24", "10.0.0.2/24")
        bare = "setpriv --bounding-set=-all --inh-caps=-all"
        answer = labs.doctor(ns["m"], "-i va --listen 1", by=bare)
    lacking = " ".join(f["evidence"] for f in labs.found(answer, "missing-capability"))
    for name in ("CAP_NET_RAW", "CAP_NET_BIND_SERVICE", "CAP_SYS_TIME", "CAP_NET_ADMIN"):
        assert name in lacking
    blind = {entry["what"]: entry for entry in answer["not_looked_at"]}
    assert {"packet filter (nftables, iptables)", "PTP on va"} <= blind.keys()
    assert all(entry["why"] and entry["how"] for entry in blind.values())
    # without CAP_NET_RAW the trial of time stamps goes by UDP
    assert labs.found(answer, "stamps-come", "sent by UDP")
    assert answer["exit"] == 1


def test_time_programs_are_named_with_their_clocks(tmp_path: Path) -> None:
    """Two real ptp4l on one interface, a real chronyd -x, and two programs that go by the names of clock setters."""
    for program in ("ptp4l", "chronyd"):
        if shutil.which(program, path="/usr/sbin:/usr/bin") is None:
            pytest.skip(f"not installed: {program}")
    sleep = shutil.which("sleep")
    assert sleep is not None
    # the kernel cuts a process's name at 15 characters
    for name in ("ntpd", "systemd-timesyncd"):
        shutil.copy(sleep, tmp_path / name)
    for number in (1, 2):
        (tmp_path / f"{number}.cfg").write_text(
            f"[global]\nfree_running 1\ntime_stamping software\nuds_address {tmp_path}/{number}.uds\n[va]\n"
        )
    (tmp_path / "chrony.conf").write_text(
        f"server 10.0.0.2\nport 0\ncmdport 0\nbindcmdaddress /\npidfile {tmp_path}/chrony.pid\ndriftfile "
        f"{tmp_path}/drift\n"
    )
    before = "\n".join(
        [
            *(f"/usr/sbin/ptp4l -f {tmp_path}/{number}.cfg -q &" for number in (1, 2)),
            f"/usr/sbin/chronyd -x -d -U -u root -f {tmp_path}/chrony.conf >/dev/null 2>&1 &",
            f"{tmp_path}/ntpd 30 &",
            f"{tmp_path}/systemd-timesyncd 30 &",
            "sleep 1",
        ]
    )
    with namespaces("m", "n") as ns:
        veth(ns["m"], "va", ns["n"], "vb", "10.0.0.1/24", "10.0.0.2/24")
        answer = labs.doctor(ns["m"], "-i va --listen 0", before=before)
    (contested,) = labs.found(answer, "clock-contested")
    assert contested["subject"] == "the system clock"
    assert "ntpd (pid " in contested["evidence"]
    assert "systemd-timesyncd (pid " in contested["evidence"]
    assert "chronyd" not in contested["evidence"]
    assert labs.found(answer, "clock-only-watched", "chronyd (pid ")
    (two,) = labs.found(answer, "two-ptp-programs")
    assert two["subject"] == "va"
    assert two["evidence"].count("ptp4l (pid ") == 2
    assert labs.found(answer, "port-shared", "ptp4l")


def test_with_no_interface_up_nothing_is_heard_and_it_says_so() -> None:
    with namespaces("m") as ns:
        answer = labs.doctor(ns["m"], "--listen 1")
    assert labs.found(answer, "no-interface-up")
    assert answer["exit"] >= 1
    (unseen,) = [entry for entry in answer["not_looked_at"] if entry["what"] == "PTP on the wire"]
    assert unseen["why"] == "no interface is up"


def test_an_asked_interface_that_is_off_is_not_listened_on() -> None:
    with namespaces("m") as ns:
        ns["m"].ip("link set lo down")
        answer = labs.doctor(ns["m"], "-i lo --listen 1")
    assert labs.found(answer, "link-off", "lo|")
    assert not labs.found(answer, "no-interface-up")
    assert [entry["why"] for entry in answer["not_looked_at"] if entry["what"] == "PTP on the wire"]
