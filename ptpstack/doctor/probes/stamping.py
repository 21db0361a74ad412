"""Time stamps, tried: an event frame is sent and its stamp awaited, the kernel's and the NIC's.

What is sent can be mistaken by nobody: a Delay_Req (a question; nobody's time is changed by one) of domain 255, which
is reserved (IEEE 1588-2019 table 2, not checked against the text), over Ethernet to this interface's own MAC address,
which no switch hands on. When that gives no stamp (a macvlan keeps it to itself), to 00-00-5E-00-53-01, an address for
documentation (RFC 7042); without CAP_NET_RAW by UDP to 233.252.0.1, a multicast address for documentation (RFC 5771),
TTL 1.

The NIC's stamping is tried only where it is switched on already: switching it on resets the clock or the link of some
NICs. ``switch`` asks for it all the same; what was set before is put back.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
import time
from contextlib import closing
from dataclasses import dataclass

from ptpstack.doctor.findings import ERROR, NOTE, OK, WARNING, Finding, kind
from ptpstack.net import abilities, device, timestamping
from ptpstack.net.abilities import Abilities, HardwareConfig
from ptpstack.net.layers import layers_of
from ptpstack.wire.codec import encode
from ptpstack.wire.envelope import ETHERTYPE_PTP
from ptpstack.wire.messages import DelayReq
from ptpstack.wire.types import PortIdentity, clock_identity_from_mac

STAMPS_COME = kind("stamps-come", OK, "Transmit time stamps come")
STAMP_MISSING = kind(
    "stamp-missing",
    ERROR,
    "No transmit time stamp came",
    "The driver promises stamps and gives none. Look for a newer driver or firmware; for hardware stamps use "
    "`stamping = software` until then. Frames that were dropped on the way out (a firewall, a full queue) have none "
    "either.",
)
STAMP_SLOW = kind(
    "stamp-slow",
    WARNING,
    "Transmit time stamps come late",
    "linuxptp gives up after tx_timestamp_timeout (10 ms by default) and calls the port FAULTY; ptpstack waits 100 ms "
    "for hardware stamps.",
)
NO_STAMPING = kind(
    "no-stamping",
    ERROR,
    "The driver gives no time stamps both ways",
    "Use another interface: PTP without receive and transmit stamps cannot be accurate.",
)
SOFTWARE_ONLY = kind(
    "software-stamps-only",
    NOTE,
    "The interface has software time stamps only",
    "Good for some microseconds to some tens of microseconds. For better, use a NIC with a PTP hardware clock.",
)
HARDWARE_OFF = kind(
    "hardware-stamps-not-tried",
    NOTE,
    "Hardware stamps were not tried: the NIC's stamping is switched off",
    "A node switches it on when it starts. To try it now: `--switch-on` (switches it on, tries, and puts back what "
    "was).",
)
HARDWARE_UNUSABLE = kind(
    "hardware-stamps-unusable",
    WARNING,
    "The NIC has a PTP hardware clock that cannot be used as it is",
    "A part is missing that a node needs; software stamps would be used. Look for a newer driver.",
)
SEND_FAILED = kind(
    "send-failed",
    ERROR,
    "An event frame could not be sent",
    "Look at the link, its addresses and its queue (`tc -s qdisc show dev INTERFACE`).",
)

TEST_GROUP = "233.252.0.1"
TEST_MAC = bytes.fromhex("00005e005301")
TEST_DOMAIN = 255
_PORT_NUMBER = 0xFFFE
_WAIT_S = {"software": 0.2, "hardware": 0.5}
#: linuxptp's default
_SLOW_S = 0.010


@dataclass(frozen=True, slots=True)
class Trial:
    """``waited_s``: until the stamp came; None: it did not come. ``failure``: why nothing was sent."""

    way: str
    waited_s: float | None = None
    failure: str = ""
    #: what was sent by: ``802.3`` or ``UDP``
    by: str = ""


@dataclass(frozen=True, slots=True)
class Stamping:
    interface: str
    #: the interface that stamps, below a VLAN or bond
    device: str
    able: Abilities
    setting: HardwareConfig | None
    lack: str
    up: bool
    trials: tuple[Trial, ...] = ()
    #: the NIC's setting was changed for the trial and put back
    switched: bool = False


def look(interface: str, *, switch: bool = False) -> Stamping:
    below = layers_of(interface)[-1].name
    able = abilities.query(below)
    setting = abilities.current(below)
    up = device.is_up(device.flags_of(interface))
    lack = ""
    try:
        choice = abilities.choose(able, "l2", "hardware")
    except ValueError as error:
        lack, choice = str(error), None
    trials, switched = [], False
    if up and able.software:
        trials.append(_try(interface, "software"))
    if up and choice is not None:
        on = setting is not None and setting.tx_type == abilities.TX_ON
        if not on and switch:
            try:
                abilities.apply(below, "l2", choice)
                on = switched = True
            except OSError as error:
                trials.append(Trial("hardware", failure=f"switching it on failed: {error.strerror or error}"))
        try:
            if on:
                trials.append(_try(interface, "hardware"))
        finally:
            if switched:
                abilities.restore(below, setting or HardwareConfig(abilities.TX_OFF, abilities.FILTER_NONE))
    return Stamping(interface, below, able, setting, lack, up, tuple(trials), switched)


def frame(mac: bytes) -> bytes:
    """The PTP message that is sent."""
    identity = PortIdentity(clock_identity_from_mac(mac), _PORT_NUMBER)
    return encode(DelayReq(identity, 0, domain=TEST_DOMAIN, control=1))


def _try(interface: str, way: str) -> Trial:
    by = "802.3"
    try:
        kind_, mac = device.hardware_address_of(interface)
        try:
            if kind_ != device.ARPHRD_ETHER:
                raise PermissionError(errno.EPERM, "not Ethernet")
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        except PermissionError:
            by = "UDP"
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        with closing(sock):
            if by == "802.3":
                sock.bind((interface, 0))
                destinations: tuple[bytes, ...] = (mac, TEST_MAC)
                head = mac + ETHERTYPE_PTP.to_bytes(2)
            else:
                request = struct.pack("4s4si", bytes(4), bytes(4), socket.if_nametoindex(interface))
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, request)
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
                sock.connect((TEST_GROUP, 319))
                destinations, head = (b"",), b""
            timestamping.enable(sock, way, transmit=True)
            waited = None
            for destination in destinations:
                sock.send(destination + head + frame(mac))
                waited = _await(sock, way)
                if waited is not None:
                    break
            return Trial(way, waited, by=by)
    except OSError as error:
        return Trial(way, failure=error.strerror or str(error), by=by)


def _await(sock: socket.socket, way: str) -> float | None:
    begun = time.monotonic()
    index = timestamping.HARDWARE_INDEX if way == "hardware" else timestamping.SOFTWARE_INDEX
    poll = select.poll()
    poll.register(sock, 0)  # POLLERR comes whatever is asked for
    while (left := begun + _WAIT_S[way] - time.monotonic()) > 0:
        if poll.poll(left * 1000):
            _, ancillary, _, _ = sock.recvmsg(256, timestamping.ANCILLARY_SIZE, timestamping.MSG_ERRQUEUE)
            if timestamping.transmit_stamp_of(ancillary, index) is not None:
                return time.monotonic() - begun
    return None


def judge(stamping: Stamping) -> list[Finding]:
    found: list[Finding] = []
    name = stamping.interface
    able = stamping.able
    tried = {trial.way for trial in stamping.trials}
    if not able.software and not able.hardware:
        return [NO_STAMPING(name, f"SO_TIMESTAMPING bits {able.so_timestamping:#x}")]
    for trial in stamping.trials:
        sent = f"{trial.way}, frame sent by {trial.by}" if trial.by else trial.way
        if trial.failure:
            found.append(SEND_FAILED(name, f"{sent}: {trial.failure}"))
        elif trial.waited_s is None:
            found.append(STAMP_MISSING(name, f"{sent}: none within {_WAIT_S[trial.way]:g} s"))
        elif trial.waited_s > _SLOW_S and trial.way == "hardware":
            found.append(STAMP_SLOW(name, f"{sent}: after {trial.waited_s * 1000:.1f} ms"))
        else:
            found.append(STAMPS_COME(name, f"{sent}: after {trial.waited_s * 1000:.2f} ms"))
    if able.phc_index >= 0 and stamping.lack:
        found.append(HARDWARE_UNUSABLE(name, f"/dev/ptp{able.phc_index}: {stamping.lack}"))
    elif stamping.lack:
        found.append(SOFTWARE_ONLY(name, stamping.lack))
    elif stamping.up and "hardware" not in tried:
        found.append(HARDWARE_OFF(name, f"/dev/ptp{able.phc_index}; {stamping.device} is set to transmit off"))
    return found
