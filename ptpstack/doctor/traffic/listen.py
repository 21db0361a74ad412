"""Hear every PTP frame of some interfaces for a while, sent or received, without taking part.

1. A packet socket hears what arrives before the machine's packet filter may drop it, and what local programs send.
2. So that switches and the NIC let the groups through, they are joined for the time (IGMP, MLD reports go out).
3. Nothing is kept but what the census keeps: frames are handed on one by one, their number is bounded.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from ptpstack.net import device, timestamping
from ptpstack.net.sockets import BpfInstruction, attach_filter, bind_to_device, grow_receive_buffer, kernel_drops
from ptpstack.wire.capture import LINK_ETHERNET, CapturedFrame
from ptpstack.wire.encapsulation import PtpPayload, extract

_ETH_P_ALL = 0x0003
_PACKET_ADD_MEMBERSHIP, _PACKET_MR_MULTICAST = 1, 0
_PACKET_AUXDATA, _TP_STATUS_VLAN_VALID = 8, 0x10
_PACKET_OUTGOING = 4
_MAX_FRAMES = 2_000_000
_GROUPS4 = ("224.0.1.129", "224.0.1.130", "224.0.1.131", "224.0.1.132", "224.0.0.107")
_GROUPS6 = ("ff0e::181", "ff02::181", "ff02::6b")
_GROUPS_L2 = ("011b19000000", "0180c200000e")

#: EtherType PTP, or UDP with destination port 319 or 320 over IPv4 (no fragment) or IPv6. The VLAN tag is off by then.
_PTP_ONLY: tuple[BpfInstruction, ...] = (
    (0x28, 0, 0, 12),  # 0 ldh EtherType
    (0x15, 14, 0, 0x88F7),  # 1 PTP: accept
    (0x15, 0, 6, 0x0800),  # 2 IPv4? else 9
    (0x30, 0, 0, 23),  # 3 ldb protocol
    (0x15, 0, 12, 17),  # 4 UDP? else drop
    (0x28, 0, 0, 20),  # 5 ldh fragment
    (0x45, 10, 0, 0x1FFF),  # 6 not the first: drop
    (0xB1, 0, 0, 14),  # 7 ldx length of the IP header
    (0x05, 0, 0, 4),  # 8 ja 13
    (0x15, 0, 7, 0x86DD),  # 9 IPv6? else drop
    (0x30, 0, 0, 20),  # 10 ldb next header
    (0x15, 0, 5, 17),  # 11 UDP? else drop
    (0x01, 0, 0, 40),  # 12 ldx 40
    (0x48, 0, 0, 16),  # 13 ldh destination port
    (0x15, 1, 0, 319),  # 14 accept
    (0x15, 0, 1, 320),  # 15 accept, else drop
    (0x06, 0, 0, 0x40000),  # 16 accept
    (0x06, 0, 0, 0),  # 17 drop
)


class Heard(NamedTuple):
    """``arrived_ns``: the kernel's stamp (CLOCK_REALTIME). ``hardware_ns``: the NIC's, None without one."""

    interface: str
    payload: PtpPayload
    arrived_ns: int
    hardware_ns: int | None
    outgoing: bool
    mac: str


class Ear:
    """Listens on one interface. OSError (EPERM without CAP_NET_RAW) when it cannot."""

    def __init__(self, interface: str) -> None:
        self.interface = interface
        self._others: list[socket.socket] = []
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        try:
            self.sock.setblocking(False)
            attach_filter(self.sock, _PTP_ONLY)
            grow_receive_buffer(self.sock, 8 << 20)
            self.sock.setsockopt(timestamping.SOL_PACKET, _PACKET_AUXDATA, 1)
            flags = timestamping.RX_SOFTWARE | timestamping.REPORT_SOFTWARE
            flags |= timestamping.RX_HARDWARE | timestamping.REPORT_RAW_HARDWARE
            self.sock.setsockopt(socket.SOL_SOCKET, timestamping.SO_TIMESTAMPING_NEW, flags)
            self.sock.bind((interface, _ETH_P_ALL))
            index = socket.if_nametoindex(interface)
            for mac in _GROUPS_L2:
                membership = struct.pack("=iHH8s", index, _PACKET_MR_MULTICAST, 6, bytes.fromhex(mac))
                self.sock.setsockopt(timestamping.SOL_PACKET, _PACKET_ADD_MEMBERSHIP, membership)
        except OSError:
            self.sock.close()
            raise
        self._join(index)

    def _join(self, index: int) -> None:
        """As far as the interface has addresses. Ports are ephemeral: nothing is taken from anybody."""
        with suppress(OSError):
            four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._others.append(four)
            for group in _GROUPS4:
                request = struct.pack("4s4si", socket.inet_aton(group), bytes(4), index)
                with suppress(OSError):
                    four.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        if not device.ipv6_addresses_of(self.interface):
            return
        with suppress(OSError):
            six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._others.append(six)
            bind_to_device(six, self.interface)
            for group in _GROUPS6:
                packed = struct.pack("=16si", socket.inet_pton(socket.AF_INET6, group), index)
                with suppress(OSError):
                    six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, packed)

    def receive(self, limit: int = 256) -> Iterator[Heard]:
        for _ in range(limit):
            try:
                octets, ancillary, _, address = self.sock.recvmsg(65536, 512)
            except BlockingIOError:
                return
            except OSError:
                return  # the link went down: what else there is to hear comes after it
            heard = self._heard(octets, ancillary, address)
            if heard is not None:
                yield heard

    def _heard(
        self, octets: bytes, ancillary: list[tuple[int, int, bytes]], address: tuple[object, ...]
    ) -> Heard | None:
        payload = extract(CapturedFrame(None, LINK_ETHERNET, octets, len(octets)))
        if not isinstance(payload, PtpPayload):
            return None
        for level, type_, data in ancillary:
            if level == timestamping.SOL_PACKET and type_ == _PACKET_AUXDATA and len(data) >= 20:
                status, _, _, _, _, tci, _ = struct.unpack_from("=IIIHHHH", data)
                if status & _TP_STATUS_VLAN_VALID:
                    payload = payload._replace(vlans=(tci & 0x0FFF, *payload.vlans))
        arrived = timestamping.stamp_of(ancillary, timestamping.SOFTWARE_INDEX) or time.time_ns()
        hardware = timestamping.stamp_of(ancillary, timestamping.HARDWARE_INDEX)
        outgoing = address[2] == _PACKET_OUTGOING
        return Heard(self.interface, payload, arrived, hardware, outgoing, octets[6:12].hex(":"))

    def drops(self) -> int:
        """Frames that the kernel dropped because they were not read in time."""
        return kernel_drops(self.sock)

    def close(self) -> None:
        for sock in (self.sock, *self._others):
            sock.close()


def listen(ears: Sequence[Ear], seconds: float, take: Callable[[Heard], None], tick: Callable[[float], None]) -> None:
    """Hand all that ``ears`` hear to ``take``; ``tick`` is called with the seconds gone, some times a second."""
    begun = time.monotonic()
    number = 0
    poll = select.poll()
    by_number = {ear.sock.fileno(): ear for ear in ears}
    for fileno in by_number:
        poll.register(fileno, select.POLLIN)
    while (gone := time.monotonic() - begun) < seconds and number < _MAX_FRAMES:
        tick(gone)
        for fileno, _ in poll.poll(max(1.0, min(250.0, (seconds - gone) * 1000))):
            for heard in by_number[fileno].receive():
                number += 1
                take(heard)
