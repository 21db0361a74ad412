"""The link itself: up, carrier, duplex, speed, Energy-Efficient Ethernet, multicast. By ioctl, no privilege needed."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ptpstack.doctor.findings import ERROR, NOTE, OK, WARNING, Finding, kind
from ptpstack.net import device

LINK_FINE = kind("link-fine", OK, "The link is up")
NO_INTERFACE = kind(
    "no-interface",
    ERROR,
    "There is no such interface",
    "`ptpstack interfaces` lists those that are here; an interface in another network namespace is not.",
)
NONE_UP = kind(
    "no-interface-up",
    WARNING,
    "No Ethernet interface is switched on",
    "`ip link set dev INTERFACE up`, or name where to look: `-i INTERFACE`; `ptpstack interfaces` lists them.",
)
LINK_OFF = kind("link-off", ERROR, "The interface is switched off", "`ip link set dev INTERFACE up`.")
NO_CARRIER = kind(
    "no-carrier", ERROR, "The interface has no carrier", "Look at the cable, the optics and the port at the other end."
)
HALF_DUPLEX = kind(
    "half-duplex",
    WARNING,
    "The link is half duplex",
    "Half duplex makes frames wait for the other direction, so delays vary. Let both ends negotiate: a fixed setting "
    "at "
    "one end alone gives half duplex at the other.",
)
SLOW_LINK = kind(
    "slow-link", NOTE, "The link is slow", "At 10 Mbit/s a long frame holds up an event message by 1.2 ms."
)
ENERGY_EFFICIENT = kind(
    "energy-efficient-ethernet",
    WARNING,
    "Energy-Efficient Ethernet is active",
    "A link that sleeps takes microseconds to wake, in one direction at a time: `ethtool --set-eee INTERFACE eee off`, "
    "at both ends.",
)
NO_MULTICAST = kind(
    "no-multicast",
    ERROR,
    "Multicast is switched off on the interface",
    "`ip link set dev INTERFACE multicast on`: without it no PTP group is received.",
)

_IFF_MULTICAST = 0x1000
_GSET, _GEEE = 0x01, 0x44
_SETTINGS = struct.Struct("=IIIHB")
_HALF, _UNKNOWN_SPEED = 0, 0xFFFF


@dataclass(frozen=True, slots=True)
class Link:
    """``flags``: IFF_...; None: no such interface. ``speed`` in Mbit/s, None: unknown. ``half``, ``eee``: active."""

    interface: str
    flags: int | None
    speed: int | None = None
    half: bool = False
    eee: bool = False
    #: named by the operator: one that is merely there may be off
    asked: bool = True


def look(interface: str, *, asked: bool = True) -> Link:
    try:
        flags = device.flags_of(interface)
    except OSError:
        return Link(interface, None, asked=asked)
    speed, half = None, False
    try:
        answer = device.ethtool(interface, bytearray(struct.pack("=I", _GSET) + bytes(40)))
        _, _, _, low, duplex = _SETTINGS.unpack_from(answer)
        speed = low if 0 < low < _UNKNOWN_SPEED else None
        half = duplex == _HALF and speed is not None
    except OSError:
        pass
    eee = False
    try:
        answer = device.ethtool(interface, bytearray(struct.pack("=I", _GEEE) + bytes(36)))
        eee = bool(struct.unpack_from("=I", answer, 16)[0])
    except OSError:
        pass
    return Link(interface, flags, speed, half, eee, asked)


def judge(link: Link) -> list[Finding]:
    name, flags = link.interface, link.flags
    if flags is None:
        return [NO_INTERFACE(name, "the kernel knows none of this name in this network namespace")]
    if not flags & device.IFF_UP:
        return [LINK_OFF(name, "the flag UP is missing", severity=None if link.asked else NOTE)]
    found = []
    if not flags & device.IFF_RUNNING:
        found.append(NO_CARRIER(name, "it is up, but has no carrier", severity=None if link.asked else NOTE))
    if not flags & _IFF_MULTICAST:
        found.append(NO_MULTICAST(name, "the flag MULTICAST is missing"))
    if link.half:
        found.append(HALF_DUPLEX(name, f"{link.speed} Mbit/s, half duplex"))
    if link.speed is not None and link.speed <= 10:
        found.append(SLOW_LINK(name, f"{link.speed} Mbit/s"))
    if link.eee:
        found.append(ENERGY_EFFICIENT(name, "the driver says it is active"))
    if found:
        return found
    return [LINK_FINE(name, f"{link.speed} Mbit/s" if link.speed else "speed not told by the driver")]
