"""Every interface of the host and what ptpstack would make of it.

The only module that imports netifaces. The time plane does not need it: channels ask the kernel themselves.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import netifaces

from ptpstack.net import abilities, device
from ptpstack.net.layers import layers_of
from ptpstack.net.open import TRANSPORTS

_SYSFS = Path("/sys/class")


@dataclass(frozen=True, slots=True)
class TransportAdvice:
    """``stamping``: ``hardware`` or ``software`` as ``open_channel`` would take it, "" when it would refuse."""

    transport: str
    stamping: str
    reason: str


@dataclass(frozen=True, slots=True)
class InterfaceReport:
    """``link``: ``up``, ``no-carrier``, ``off``. What does not apply, or cannot be told here, is empty or None."""

    name: str
    index: int
    link: str
    mac: str
    mtu: int
    driver: str
    ipv4: list[str] = field(default_factory=list)
    ipv6: list[str] = field(default_factory=list)
    master: str = ""
    #: the interface below a VLAN, macvlan or the like
    lower: list[str] = field(default_factory=list)
    vlan: int | None = None
    #: the member of a bond that sends and stamps
    active_member: str = ""
    transmit: list[str] = field(default_factory=list)
    receive_filters: list[str] = field(default_factory=list)
    hardware_stamps: bool = False
    software_stamps: bool = False
    #: how the NIC is set at present: "on, ptpv2-event"; "" when it is not set or does not say
    present_setting: str = ""
    phc_index: int | None = None
    phc_name: str = ""
    advice: list[TransportAdvice] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def interface_names() -> list[str]:
    """All interfaces, by index."""
    found = {name for name in netifaces.interfaces() if ":" not in name}
    return sorted(found, key=lambda name: (_index(name), name))


def report(name: str) -> InterfaceReport:
    """All about one interface. ChannelError when there is none of that name."""
    index = device.index_of(name)
    layers = layers_of(name)
    able = abilities.query(layers[-1].name)
    kind, mac = device.hardware_address_of(name)
    flags = device.flags_of(name)
    addresses = _addresses(name)
    setting = abilities.current(layers[-1].name)
    directory = _sysfs_directory(name, index)
    phc = able.phc_index if able.phc_index >= 0 else None
    ipv4 = addresses.get(netifaces.AF_INET, [])
    lacking = {} if ipv4 else {"udp4": "it has no IPv4 address"}
    if not device.ipv6_addresses_of(name):
        lacking["udp6"] = "it has no IPv6 address that is ready for use"
    return InterfaceReport(
        name=name,
        index=index,
        link="up" if device.is_up(flags) else "no-carrier" if flags & device.IFF_UP else "off",
        mac=mac.hex(":") if kind == device.ARPHRD_ETHER else "",
        mtu=device.mtu_of(name),
        driver=device.driver_of(name),
        ipv4=ipv4,
        ipv6=addresses.get(netifaces.AF_INET6, []),
        master=_master(directory),
        lower=_lower(directory),
        vlan=layers[0].vlan_id,
        active_member=layers[1].name if layers[0].kind == "bond" and len(layers) > 1 else "",
        transmit=able.tx_names(),
        receive_filters=able.filter_names(),
        hardware_stamps=able.hardware,
        software_stamps=able.software,
        present_setting=_setting(setting),
        phc_index=phc,
        phc_name=_text(_SYSFS / "ptp" / f"ptp{phc}" / "clock_name") if phc is not None else "",
        advice=[_advise(able, transport, kind, flags, lacking) for transport in TRANSPORTS],
    )


def report_all(names: list[str] | None = None) -> list[InterfaceReport]:
    """Reports of ``names``, or of every interface. One that vanishes meanwhile is left out when nobody asked for it."""
    if names:
        return [report(name) for name in names]
    found = []
    for name in interface_names():
        try:
            found.append(report(name))
        except OSError:
            continue
    return found


def _advise(
    able: abilities.Abilities, transport: str, kind: int, flags: int, lacking: dict[str, str]
) -> TransportAdvice:
    if flags & device.IFF_LOOPBACK:
        return TransportAdvice(transport, "", "loopback: no PTP network")
    if transport in lacking:
        return TransportAdvice(transport, "", lacking[transport])
    if transport == "l2" and kind != device.ARPHRD_ETHER:
        return TransportAdvice(transport, "", f"it is not Ethernet (hardware type {kind})")
    try:
        choice = abilities.choose(able, transport)
    except ValueError as error:
        return TransportAdvice(transport, "", str(error))
    return TransportAdvice(transport, choice.stamping, choice.reason)


def _addresses(name: str) -> dict[int, list[str]]:
    """Address family -> addresses. netifaces raises ValueError for an interface that has gone."""
    try:
        families = netifaces.ifaddresses(name)
    except (ValueError, OSError):
        return {}
    return {
        int(family): [entry["addr"].split("%")[0] for entry in entries if entry.get("addr")]
        for family, entries in families.items()
    }


def _index(name: str) -> int:
    try:
        return device.index_of(name)
    except OSError:
        return 1 << 31


def _sysfs_directory(name: str, index: int) -> Path | None:
    """The interface's sysfs directory, unless /sys shows another network namespace than ours."""
    directory = _SYSFS / "net" / name
    return directory if _text(directory / "ifindex") == str(index) else None


def _master(directory: Path | None) -> str:
    link = directory / "master" if directory is not None else None
    return link.resolve().name if link is not None and link.is_symlink() else ""


def _lower(directory: Path | None) -> list[str]:
    return sorted(entry.name.removeprefix("lower_") for entry in directory.glob("lower_*")) if directory else []


def _setting(config: abilities.HardwareConfig | None) -> str:
    if config is None:
        return ""
    names = ((abilities.TX_NAMES, config.tx_type), (abilities.FILTER_NAMES, config.rx_filter))
    return ", ".join(known[value] if 0 <= value < len(known) else str(value) for known, value in names)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
