"""Which time stamps an interface can give, which of them to use and why, and switching the NIC's on.

Rules:

1. Hardware only when every part is there: generate and report bits, transmit ON, a receive filter that covers the
   transport's event messages, and a PHC. Software otherwise; the reason is a sentence.
2. The setting belongs to the device, others may use it: it is not written when it already suffices, because on some
   drivers writing resets the PHC or drops the link. What was written is read back, because drivers widen filters.
3. One-step only by wish, and only where the NIC puts the time into the frame itself: a stamp of the kernel's is taken
   when the frame has left for the driver, and a time written before that would be a guess.
"""

from __future__ import annotations

import array
import errno
import struct
from dataclasses import dataclass, replace

from ptpstack.net import device, timestamping
from ptpstack.net.channel import ChannelError
from ptpstack.net.layers import describe, layers_of

SIOCSHWTSTAMP = 0x89B0
SIOCGHWTSTAMP = 0x89B1
ETHTOOL_GET_TS_INFO = 0x41

TX_OFF = 0
TX_ON = 1
#: the NIC puts the time into Sync; into Pdelay_Resp, too
TX_ONESTEP_SYNC = 2
TX_ONESTEP_P2P = 3
FILTER_NONE = 0
FILTER_ALL = 1
#: An answer only: what was asked for, and more.
FILTER_SOME = 2
FILTER_PTP_V2_L4_EVENT = 6
FILTER_PTP_V2_L2_EVENT = 9
FILTER_PTP_V2_EVENT = 12

#: Receive filters that stamp all event messages of a transport, the one to ask for first.
USABLE_FILTERS: dict[str, tuple[int, ...]] = {
    "udp4": (FILTER_PTP_V2_EVENT, FILTER_PTP_V2_L4_EVENT, FILTER_ALL),
    "udp6": (FILTER_PTP_V2_EVENT, FILTER_PTP_V2_L4_EVENT, FILTER_ALL),
    "l2": (FILTER_PTP_V2_EVENT, FILTER_PTP_V2_L2_EVENT, FILTER_ALL),
    "bridge": (FILTER_PTP_V2_EVENT, FILTER_ALL),
}

TX_NAMES = ("off", "on", "one-step-sync", "one-step-p2p")
#: what leaves one-step, by transmit type, the most first
ONE_STEP = {TX_ONESTEP_P2P: "p2p", TX_ONESTEP_SYNC: "sync"}
FILTER_NAMES = (
    "none",
    "all",
    "some",
    "ptpv1-l4-event",
    "ptpv1-l4-sync",
    "ptpv1-l4-delay-req",
    "ptpv2-l4-event",
    "ptpv2-l4-sync",
    "ptpv2-l4-delay-req",
    "ptpv2-l2-event",
    "ptpv2-l2-sync",
    "ptpv2-l2-delay-req",
    "ptpv2-event",
    "ptpv2-sync",
    "ptpv2-delay-req",
    "ntp-all",
)

_TS_INFO = struct.Struct("=IIiI12xI12x")
_CONFIG = struct.Struct("=iii")
_IFREQ_POINTER = struct.Struct("16sQ16x")


@dataclass(frozen=True, slots=True)
class Abilities:
    """ETHTOOL_GET_TS_INFO. ``so_timestamping``: SO_TIMESTAMPING bits; ``tx_types``, ``rx_filters``: bit n = value n."""

    so_timestamping: int = 0
    phc_index: int = -1
    tx_types: int = 0
    rx_filters: int = 0

    @property
    def hardware(self) -> bool:
        return self.so_timestamping & timestamping.HARDWARE_BITS == timestamping.HARDWARE_BITS and self.phc_index >= 0

    @property
    def software(self) -> bool:
        return self.so_timestamping & timestamping.SOFTWARE_BITS == timestamping.SOFTWARE_BITS

    def tx_names(self) -> list[str]:
        return [name for bit, name in enumerate(TX_NAMES) if self.tx_types >> bit & 1]

    def filter_names(self) -> list[str]:
        return [name for bit, name in enumerate(FILTER_NAMES) if self.rx_filters >> bit & 1]


@dataclass(frozen=True, slots=True)
class HardwareConfig:
    """struct hwtstamp_config: what the device is set to."""

    tx_type: int
    rx_filter: int


@dataclass(frozen=True, slots=True)
class Choice:
    """``stamping`` is ``hardware`` or ``software``; ``rx_filter`` and ``tx_type`` (hardware only) are what to ask the
    NIC for, and from ``prepare`` what the driver granted. ``stack``: the interface and what it stands on, the last one
    stamps.
    """

    stamping: str
    reason: str
    phc_index: int | None = None
    rx_filter: int = FILTER_NONE
    stack: tuple[str, ...] = ()
    tx_type: int = TX_ON

    @property
    def one_step(self) -> str:
        """What leaves one-step: ``sync``, ``p2p`` (Pdelay_Resp, too), "" for nothing."""
        return ONE_STEP.get(self.tx_type, "")


def query(interface: str, ioctl: device.Ioctl = device.system_ioctl) -> Abilities:
    """What the interface can do; nothing at all where the driver does not answer. No privilege needed."""
    try:
        answer = device.ethtool(interface, bytearray(_TS_INFO.pack(ETHTOOL_GET_TS_INFO, 0, 0, 0, 0)), ioctl)
    except OSError:
        return Abilities()
    _, bits, phc_index, tx_types, rx_filters = _TS_INFO.unpack(answer)
    return Abilities(bits, phc_index, tx_types, rx_filters)


def current(interface: str, ioctl: device.Ioctl = device.system_ioctl) -> HardwareConfig | None:
    """How the NIC's stamping is set now; None where it has none or will not say."""
    return _transfer(interface, SIOCGHWTSTAMP, HardwareConfig(0, 0), ioctl, quiet=True)


def read(interface: str, ioctl: device.Ioctl = device.system_ioctl) -> HardwareConfig:
    """As ``current``; OSError says why it cannot be told."""
    return _exchange(interface, SIOCGHWTSTAMP, HardwareConfig(0, 0), ioctl)


def write(interface: str, config: HardwareConfig, ioctl: device.Ioctl = device.system_ioctl) -> HardwareConfig:
    """Set the NIC's stamping to that, whoever else uses it; what it was set to. OSError. For people, by hand."""
    return _exchange(interface, SIOCSHWTSTAMP, config, ioctl)


def check_stamping(stamping: str) -> None:
    if stamping not in ("auto", "hardware", "software"):
        raise ValueError(f"stamping is auto, hardware or software, not {stamping!r}")


def choose(abilities: Abilities, transport: str, stamping: str = "auto", one_step: str = "no") -> Choice:
    """Hardware or software stamps for ``transport`` (``udp4``, ``udp6``, ``l2``), and why. Touches nothing.

    ``stamping``: ``auto``, ``hardware`` or ``software``; ``one_step``: ``no``, ``auto`` or ``yes``. ValueError when the
    abilities rule out what was asked; its text is the reason.
    """
    check_stamping(stamping)
    if one_step != "no":
        return _one_step(abilities, transport, stamping, one_step)
    if stamping == "software":
        if not abilities.software:
            raise ValueError(_no_software(abilities))
        return Choice("software", "software stamps because the configuration asks for them")
    lack = _hardware_lack(abilities, transport)
    if lack is None:
        wanted = next(f for f in USABLE_FILTERS[transport] if abilities.rx_filters >> f & 1)
        asked = " as the configuration asks" if stamping == "hardware" else ""
        reason = f"hardware stamps of PHC {abilities.phc_index}{asked}: the NIC stamps transmit and {_name(wanted)}"
        return Choice("hardware", reason, abilities.phc_index, wanted)
    if stamping == "hardware":
        raise ValueError(f"no hardware stamps: {lack}")
    if not abilities.software:
        raise ValueError(f"no hardware stamps: {lack}; and {_no_software(abilities)}")
    return Choice("software", f"software stamps of the kernel because {lack}")


def _one_step(abilities: Abilities, transport: str, stamping: str, one_step: str) -> Choice:
    able = [tx_type for tx_type in ONE_STEP if abilities.tx_types >> tx_type & 1]
    lack = _hardware_lack(abilities, transport, transmit=able[0] if able else TX_ON)
    if stamping == "software":
        lack = "the stamps are to be the kernel's"
    elif lack is None and not able:
        lack = f"the NIC's transmit types are {', '.join(abilities.tx_names())}"
    if lack is None:
        # stamps without transmit type ON are of use here
        choice = choose(replace(abilities, tx_types=abilities.tx_types | 1 << TX_ON), transport, "hardware")
        return replace(choice, reason=f"{choice.reason}; {_inserts(able[0])}", tx_type=able[0])
    if one_step == "yes":
        raise ValueError(f"no one-step transmission: only a NIC can put the time into a frame as it leaves, and {lack}")
    choice = choose(abilities, transport, stamping)
    because = f", because {lack}" if choice.stamping == "hardware" else ", like all that the kernel stamps"
    return replace(choice, reason=f"{choice.reason}; two-step{because}")


def _inserts(tx_type: int) -> str:
    return "one-step: it puts the time into Sync" + (" and Pdelay_Resp" if tx_type == TX_ONESTEP_P2P else "")


def apply(
    interface: str, transport: str, choice: Choice, ioctl: device.Ioctl = device.system_ioctl
) -> HardwareConfig | None:
    """Make the NIC stamp as ``choice`` says (nothing to do for software). OSError with the reason when it will not."""
    if choice.stamping != "hardware":
        return None
    usable = USABLE_FILTERS[transport]
    present = current(interface, ioctl)
    if present is not None and _suffices(present, choice.tx_type, usable):
        return present
    # What others set stays covered: every-packet stamping is not narrowed to PTP (it suffices above); a filter for the
    # other transport is replaced by the common one when the NIC has it, which is first in USABLE_FILTERS.
    granted = _transfer(interface, SIOCSHWTSTAMP, HardwareConfig(choice.tx_type, choice.rx_filter), ioctl)
    granted = current(interface, ioctl) or granted
    if granted is None or not _suffices(granted, choice.tx_type, (*usable, FILTER_SOME)):
        asked = f"transmit {TX_NAMES[choice.tx_type]}, filter {_name(choice.rx_filter)}"
        got = "nothing" if granted is None else f"transmit {granted.tx_type}, filter {_name(granted.rx_filter)}"
        raise OSError(errno.ERANGE, f"the driver accepted {asked} but set {got}")
    return granted


def restore(interface: str, config: HardwareConfig, ioctl: device.Ioctl = device.system_ioctl) -> None:
    """Set the NIC's stamping to what ``current`` gave before. OSError when the driver refuses."""
    _transfer(interface, SIOCSHWTSTAMP, config, ioctl)


def prepare(
    interface: str,
    transport: str,
    stamping: str = "auto",
    ioctl: device.Ioctl = device.system_ioctl,
    one_step: str = "no",
) -> Choice:
    """Choose and switch on. With ``auto`` a NIC that refuses means software stamps, with the refusal as the reason;
    one that refuses one-step means two-step.

    On a VLAN, or on a bond, it is the parent that stamps, or the active member: the setting is made there.
    ChannelError when ``stamping`` or ``one_step`` is forced and cannot be had.
    """
    check_stamping(stamping)
    layers = layers_of(interface)
    if layers[-1].kind == "bond":
        raise ChannelError(
            errno.ENETDOWN,
            f"{interface}: {describe(layers)} for now, so nothing tells who would stamp; give it a member with a link",
        )
    choice = _prepare(layers[-1].name, interface, transport, stamping, ioctl, one_step)
    below = describe(layers)
    reason = f"{choice.reason} ({below})" if below else choice.reason
    return replace(choice, reason=reason, stack=tuple(layer.name for layer in layers))


def _prepare(device_: str, interface: str, transport: str, stamping: str, ioctl: device.Ioctl, one_step: str) -> Choice:
    abilities = query(device_, ioctl)
    try:
        choice = choose(abilities, transport, stamping, one_step)
    except ValueError as error:
        remedy = "stamping = auto" if one_step != "yes" else "one_step = auto or no"
        raise ChannelError(
            errno.EOPNOTSUPP,
            f"{interface}: {error}; use {remedy}, or another interface (`ptpstack interfaces` shows what each can do)",
        ) from None
    try:
        granted = apply(device_, transport, choice, ioctl)
    except OSError as error:
        refusal = f"setting the NIC's stamping failed: {error.strerror or error}"
        if error.errno == errno.EPERM:
            refusal += " (needs CAP_NET_ADMIN, unless the NIC is set up beforehand, for example by hwstamp_ctl)"
        if choice.one_step:
            if one_step == "yes":
                raise ChannelError(
                    error.errno or errno.EIO, f"{interface}: no one-step transmission: {refusal}"
                ) from error
            two_step = _prepare(device_, interface, transport, stamping, ioctl, "no")
            return replace(two_step, reason=f"{two_step.reason}; two-step, because {refusal}")
        if stamping == "hardware" or not abilities.software:
            raise ChannelError(error.errno or errno.EIO, f"{interface}: no hardware stamps: {refusal}") from error
        return Choice("software", f"software stamps of the kernel because {refusal}")
    if granted is None or granted.rx_filter == choice.rx_filter:
        return choice
    reason = f"{choice.reason}; what it is set to, {_name(granted.rx_filter)}, covers that"
    return replace(choice, rx_filter=granted.rx_filter, reason=reason)


def _transfer(
    interface: str, request: int, config: HardwareConfig, ioctl: device.Ioctl, *, quiet: bool = False
) -> HardwareConfig | None:
    try:
        return _exchange(interface, request, config, ioctl)
    except OSError:
        if quiet:
            return None
        raise


def _exchange(interface: str, request: int, config: HardwareConfig, ioctl: device.Ioctl) -> HardwareConfig:
    # The kernel follows a pointer, so the struct needs memory with an address of its own.
    memory = array.array("B", _CONFIG.pack(0, config.tx_type, config.rx_filter))
    ioctl(request, bytearray(_IFREQ_POINTER.pack(device.encode_name(interface), memory.buffer_info()[0])))
    _, tx_type, rx_filter = _CONFIG.unpack(memory.tobytes())
    return HardwareConfig(tx_type, rx_filter)


def _suffices(config: HardwareConfig, tx_type: int, usable: tuple[int, ...]) -> bool:
    return config.tx_type == tx_type and config.rx_filter in usable


def _hardware_lack(abilities: Abilities, transport: str, transmit: int = TX_ON) -> str | None:
    """Why there are no hardware stamps, as the rest of a sentence; None when there are."""
    bits = abilities.so_timestamping
    if not bits & timestamping.HARDWARE_BITS:
        return "the NIC or its driver has no hardware time stamping"
    if bits & timestamping.HARDWARE_BITS != timestamping.HARDWARE_BITS:
        names = {
            timestamping.TX_HARDWARE: "transmit",
            timestamping.RX_HARDWARE: "receive",
            timestamping.REPORT_RAW_HARDWARE: "raw reporting",
        }
        return "the NIC lacks hardware stamps for " + ", ".join(n for bit, n in names.items() if not bits & bit)
    if abilities.phc_index < 0:
        return "the NIC stamps, but its driver offers no PTP hardware clock (PHC)"
    if not abilities.tx_types >> transmit & 1:
        return "the NIC cannot stamp every event message it sends (transmit type ON is missing)"
    if not any(abilities.rx_filters >> f & 1 for f in USABLE_FILTERS[transport]):
        names_ = ", ".join(abilities.filter_names()) or "none"
        return f"the NIC has no receive filter for PTP version 2 event messages over {transport} (it has {names_})"
    return None


def _no_software(abilities: Abilities) -> str:
    return f"the driver does not give software stamps both ways (SO_TIMESTAMPING bits {abilities.so_timestamping:#x})"


def _name(rx_filter: int) -> str:
    return FILTER_NAMES[rx_filter] if 0 <= rx_filter < len(FILTER_NAMES) else str(rx_filter)
