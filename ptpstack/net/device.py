"""What the kernel says about one interface: index, flags, MAC, MTU, driver, addresses.

By ioctl (IPv6 addresses: /proc of this very thread) and not by sysfs, because an ioctl answers for the caller's network
namespace; ``/sys`` answers for the namespace it was mounted in. No privilege is needed for any of this.
"""

from __future__ import annotations

import array
import errno
import fcntl
import socket
import struct
from collections.abc import Callable
from contextlib import closing

from ptpstack.net.channel import ChannelError

SIOCGIFCONF = 0x8912
SIOCGIFFLAGS = 0x8913
SIOCGIFMTU = 0x8921
SIOCGIFHWADDR = 0x8927
SIOCETHTOOL = 0x8946
ETHTOOL_GDRVINFO = 0x03

#: IPv6 addresses by interface, of this thread's network namespace
_IF_INET6 = "/proc/thread-self/net/if_inet6"
#: IFA_F_TENTATIVE, IFA_F_DADFAILED: the address is being checked for duplicates, or has one
_UNUSABLE = 0x40 | 0x08

IFF_UP = 0x1
IFF_LOOPBACK = 0x8
IFF_RUNNING = 0x40
IFF_NOARP = 0x80

ARPHRD_ETHER = 1
ARPHRD_LOOPBACK = 772

_IFREQ = struct.Struct("16s24s")
_IFREQ_POINTER = struct.Struct("16sQ16x")

#: ioctl(request, buffer): reads and writes the buffer in place, OSError on failure. Tests put a driver behind it.
Ioctl = Callable[[int, bytearray], None]


def system_ioctl(request: int, buffer: bytearray) -> None:
    """The kernel, through a throw-away socket."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        fcntl.ioctl(sock.fileno(), request, buffer)


def encode_name(interface: str) -> bytes:
    name = interface.encode()
    if not 0 < len(name) < 16 or b"/" in name or b"\0" in name:
        raise ChannelError(
            errno.EINVAL, f"{interface!r} cannot be the name of an interface: 1 to 15 octets, no slash; check the name"
        )
    return name


def _ifreq(interface: str, request: int, ioctl: Ioctl) -> bytes:
    buffer = bytearray(_IFREQ.pack(encode_name(interface), b""))
    ioctl(request, buffer)
    return bytes(buffer[16:])


def index_of(interface: str) -> int:
    """The interface's index. ChannelError when there is none of that name."""
    encode_name(interface)
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        raise ChannelError(
            errno.ENODEV,
            f"{interface}: there is no such interface here; `ptpstack interfaces` lists those that are",
        ) from None


def flags_of(interface: str, ioctl: Ioctl = system_ioctl) -> int:
    return int(struct.unpack_from("H", _ifreq(interface, SIOCGIFFLAGS, ioctl))[0])


def is_up(flags: int) -> bool:
    """Administratively up and with a carrier (RFC 2863 operational state up or unknown)."""
    return flags & (IFF_UP | IFF_RUNNING) == IFF_UP | IFF_RUNNING


def mtu_of(interface: str, ioctl: Ioctl = system_ioctl) -> int:
    return int(struct.unpack_from("i", _ifreq(interface, SIOCGIFMTU, ioctl))[0])


def hardware_address_of(interface: str, ioctl: Ioctl = system_ioctl) -> tuple[int, bytes]:
    """(ARPHRD type, 6 octets). The octets mean a MAC only for Ethernet (and are zero on loopback)."""
    answer = _ifreq(interface, SIOCGIFHWADDR, ioctl)
    return int(struct.unpack_from("H", answer)[0]), answer[2:8]


def driver_of(interface: str, ioctl: Ioctl = system_ioctl) -> str:
    """The driver's name, "" when it does not say."""
    try:
        answer = ethtool(interface, bytearray(struct.pack("=I", ETHTOOL_GDRVINFO) + bytes(192)), ioctl)
    except OSError:
        return ""
    return answer[4:36].split(b"\0")[0].decode(errors="replace")


def ethtool(interface: str, command: bytearray, ioctl: Ioctl = system_ioctl) -> bytes:
    """SIOCETHTOOL with ``command`` (its first four octets are the command's number); returns it as filled in."""
    memory = array.array("B", command)
    request = bytearray(_IFREQ_POINTER.pack(encode_name(interface), memory.buffer_info()[0]))
    ioctl(SIOCETHTOOL, request)
    return memory.tobytes()


def ipv4_addresses_of(interface: str) -> list[str]:
    """The interface's IPv4 addresses, the primary one first."""
    memory = array.array("B", bytes(40 * 64))
    while True:
        address, length = memory.buffer_info()
        request = bytearray(struct.pack("iP", length, address))
        system_ioctl(SIOCGIFCONF, request)
        used = struct.unpack_from("i", request)[0]
        if used + 40 <= length:
            break
        memory = array.array("B", bytes(2 * length))  # a full answer may have been cut
    found = []
    octets = memory.tobytes()
    for offset in range(0, used, 40):
        label = octets[offset : offset + 16].split(b"\0")[0].decode(errors="replace")
        # An alias address has a label such as eth0:1.
        if label.split(":")[0] == interface:
            found.append(socket.inet_ntoa(octets[offset + 20 : offset + 24]))
    return found


def ipv6_addresses_of(interface: str) -> list[str]:
    """The interface's IPv6 addresses that are ready for use; [] where the kernel has no IPv6."""
    try:
        with open(_IF_INET6) as file:
            lines = [line.split() for line in file]
    except OSError:
        return []
    return [
        socket.inet_ntop(socket.AF_INET6, bytes.fromhex(address))
        for address, _, _, _, flags, name in lines
        if name == interface and not int(flags, 16) & _UNUSABLE
    ]
