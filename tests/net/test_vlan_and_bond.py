"""VLANs and bonds over ports with hardware clocks, in the guest of the hardware rig: its kernel has both."""

from __future__ import annotations

import errno
import select
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ptpstack.net import abilities
from ptpstack.net.channel import ChannelError
from ptpstack.net.interfaces import report
from ptpstack.net.layers import layers_of
from ptpstack.net.links import LinkWatch
from ptpstack.net.open import open_channel
from tests.hil import rig as hil
from tests.net.beds import FOLLOW_UP, SYNC, now, stamps, take
from tests.netns import Namespace, namespaces

pytestmark = hil.marks


def ip(arguments: str) -> str:
    return subprocess.run(["ip", *arguments.split()], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def far() -> Iterator[Namespace]:
    """hil0 <-> hil1 and hil2 <-> hil3; the odd ones in a namespace. A PHC for each port."""
    hil.load(4)
    subprocess.run(["modprobe", "-a", "8021q", "bonding"], check=True)
    with namespaces("far") as ns:
        far = ns["far"]
        for name in ("hil1", "hil3"):
            ip(f"link set {name} netns {far.path}")
            far.ip(f"link set {name} up")
        yield far
        for name in ("hil1", "hil3"):
            far.ip(f"link set {name} netns 1")


@pytest.fixture(scope="module")
def vlan(far: Namespace) -> Iterator[None]:
    """VLAN 100 on both ends; SO_PRIORITY 6 becomes PCP 4."""
    ip("link set hil0 up")
    for run, name, end in ((ip, "hil0", 1), (far.ip, "hil1", 2)):
        run(f"link add link {name} name {name}.100 type vlan id 100 egress-qos-map 6:4")
        run(f"address add 10.8.0.{end}/24 dev {name}.100")
        run(f"address add fd00:8::{end}/64 dev {name}.100 nodad")
        run(f"link set {name}.100 up")
    time.sleep(1)
    yield
    ip("link del hil0.100")
    far.ip("link del hil1.100")
    ip("link set hil0 down")


@pytest.mark.usefixtures("vlan")
@pytest.mark.parametrize("transport", ["udp4", "udp6", "l2"])
def test_TRN_11_a_vlan_is_stamped_by_its_parent(far: Namespace, transport: str) -> None:
    a = open_channel("hil0.100", transport)
    with far.entered():
        b = open_channel("hil1.100", transport)
    try:
        assert a.stack == ("hil0.100", "hil0")
        assert a.stamping == b.stamping == "hardware"
        assert a.phc_index == report("hil0").phc_index
        assert a.stamping_reason.endswith("(hil0.100 is VLAN 100 on hil0)")
        setting = abilities.current("hil0")
        assert setting is not None
        assert (setting.tx_type, setting.rx_filter) == (abilities.TX_ON, abilities.FILTER_PTP_V2_EVENT)
        a.send_event(SYNC, None, 7, now())
        a.send_general(FOLLOW_UP, None)
        (sent,) = stamps(a, 1)
        event, general = sorted(take(b, 2), key=lambda r: not r.event)
        assert sent.stamp_ns
        assert event.stamp_ns
        # The clocks start within a second of each other.
        assert abs(event.stamp_ns - sent.stamp_ns) < 1_000_000_000
        assert general.octets.startswith(FOLLOW_UP)
        assert b.counters()["no_stamp"] == 0
    finally:
        a.close()
        b.close()


@pytest.mark.usefixtures("vlan")
@pytest.mark.parametrize("transport", ["udp4", "l2"])
def test_pcp_by_the_egress_map(far: Namespace, transport: str) -> None:
    a = open_channel("hil0.100", transport, pcp=4)
    with far.entered():
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        tap.bind(("hil1", 3))
        tap.setsockopt(263, 8, 1)  # PACKET_AUXDATA: the kernel has taken the tag off
    try:
        a.send_general(FOLLOW_UP, None)
        assert select.select([tap], [], [], 2)[0]
        _, ancillary, _, _ = tap.recvmsg(2048, 256)
        tci = next(
            int.from_bytes(data[16:18], "little") for level, kind, data in ancillary if (level, kind) == (263, 8)
        )
        assert (tci >> 13, tci & 0xFFF) == (4, 100)
    finally:
        a.close()
        tap.close()
    with pytest.raises(ChannelError, match=r"no priority is mapped to it on hil0.100.*egress-qos-map 7:7"):
        open_channel("hil0.100", transport, pcp=7)


@pytest.mark.usefixtures("vlan")
def test_the_report_of_a_vlan() -> None:
    told = report("hil0.100")
    assert (told.vlan, told.hardware_stamps, told.phc_index) == (100, True, report("hil0").phc_index)


@pytest.fixture
def bond(far: Namespace) -> Iterator[None]:
    """bond0 over hil0 and hil2, hil0 active."""
    for name in ("hil0", "hil2"):
        ip(f"link set {name} down")
    ip("link add bond0 type bond mode active-backup miimon 100")
    for name in ("hil0", "hil2"):
        ip(f"link set {name} master bond0")
    ip("address add 10.7.0.1/24 dev bond0")
    ip("link set bond0 up")
    ip("link set bond0 type bond active_slave hil0")
    yield
    ip("link del bond0")


def activate(member: str) -> None:
    ip(f"link set bond0 type bond active_slave {member}")


@pytest.mark.usefixtures("bond")
@pytest.mark.parametrize("transport", ["udp4", "l2"])
def test_a_bond_is_stamped_by_its_active_member(far: Namespace, transport: str) -> None:
    for member, other_end in (("hil0", "hil1"), ("hil2", "hil3")):
        activate(member)
        a: Any = open_channel("bond0", transport)
        with far.entered():
            b: Any = open_channel(other_end, "l2")
        try:
            assert a.stack == ("bond0", member)
            assert (a.stamping, a.phc_index) == ("hardware", report(member).phc_index)
            assert f"(bond0's active member is {member})" in a.stamping_reason
            a.send_event(SYNC, None, 7, now())
            assert stamps(a, 1)[0].stamp_ns
            if transport == "l2":
                b.send_event(SYNC, None, 8, now())
                (heard,) = take(a, 1)
                assert heard.stamp_ns
        finally:
            a.close()
            b.close()
    assert report("bond0").active_member == "hil2"


@pytest.mark.usefixtures("bond")
def test_a_change_of_the_active_member_is_an_event(far: Namespace) -> None:
    watched, reason = LinkWatch.open(["bond0"])
    assert watched is not None, reason

    def member() -> int:
        found = 0
        while select.select([watched], [], [], 2)[0]:
            for event in watched.read():
                found = event.member
            if found:
                break
        return found

    try:
        assert member() == socket.if_nametoindex("hil0")
        activate("hil2")
        assert member() == socket.if_nametoindex("hil2")
    finally:
        watched.close()


def test_a_bond_that_spreads_frames_has_the_kernels_stamps(far: Namespace) -> None:
    ip("link add bond0 type bond mode balance-rr")
    for name in ("hil0", "hil2"):
        ip(f"link set {name} down")
        ip(f"link set {name} master bond0")
    ip("link set bond0 up")
    try:
        time.sleep(0.5)
        channel = open_channel("bond0", "l2")
        assert channel.stamping == "software"
        assert "bond0 spreads frames over its members" in channel.stamping_reason
        channel.send_event(SYNC, None, 1, now())
        assert stamps(channel, 1)[0].stamp_ns
        channel.close()
    finally:
        ip("link del bond0")


def test_a_vlan_whose_parent_is_in_another_namespace(far: Namespace) -> None:
    """Its parent cannot be set from there, but one that is set already is used."""
    ip("link set hil2 up")
    subprocess.run(["hwstamp_ctl", "-i", "hil2", "-t", "1", "-r", "12"], check=True, capture_output=True)
    try:
        ip("link add link hil2 name moved type vlan id 7")
        ip(f"link set moved netns {far.path}")
        far.ip("link set moved up")
        with far.entered():
            channel = open_channel("moved", "l2")
        assert (channel.stack, channel.stamping) == (("moved",), "hardware")
        channel.send_event(SYNC, None, 1, now())
        assert stamps(channel, 1)[0].stamp_ns
        channel.close()
        subprocess.run(["hwstamp_ctl", "-i", "hil2", "-t", "0", "-r", "0"], check=True, capture_output=True)
        with far.entered():
            channel = open_channel("moved", "l2")
        assert channel.stamping == "software"
        assert "setting the NIC's stamping failed" in channel.stamping_reason
        channel.close()
    finally:
        ip("link set hil2 down")


def test_a_bond_without_a_member_is_waited_for(far: Namespace) -> None:
    ip("link add bond0 type bond mode active-backup")
    ip("link set bond0 up")
    try:
        assert layers_of("bond0")[-1].kind == "bond"
        with pytest.raises(ChannelError, match="bond0 has no active member for now") as caught:
            open_channel("bond0", "l2")
        assert caught.value.errno == errno.ENETDOWN
    finally:
        ip("link del bond0")
