"""SO_TIMESTAMPING: the kernel's numbers, and the octets that come back with a datagram or from the error queue.

Two rules:

1. A control message is believed only after its level, type and length were checked; a stamp of 0/0 is no stamp.
2. Which of the three times of SCM_TIMESTAMPING counts is chosen once, at open: ``SOFTWARE_INDEX`` (CLOCK_REALTIME, set
   by the kernel) or ``HARDWARE_INDEX`` (the PHC's time base, set by the NIC). They are never mixed.

Source: linux/net_tstamp.h, linux/errqueue.h, Documentation/networking/timestamping.rst.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Iterable

SO_TIMESTAMPING_OLD = 37
#: Linux 5.1: 64-bit times on every architecture.
SO_TIMESTAMPING_NEW = 65

TX_HARDWARE = 0x1
TX_SOFTWARE = 0x2
RX_HARDWARE = 0x4
RX_SOFTWARE = 0x8
REPORT_SOFTWARE = 0x10
REPORT_RAW_HARDWARE = 0x40
OPT_ID = 0x80
OPT_TSONLY = 0x800
#: Linux 6.12: no receive stamp merely because somebody else's socket asked for stamps.
OPT_RX_FILTER = 0x20000

#: What a NIC must report (ETHTOOL_GET_TS_INFO) before its hardware stamps are of use.
HARDWARE_BITS = TX_HARDWARE | RX_HARDWARE | REPORT_RAW_HARDWARE
SOFTWARE_BITS = TX_SOFTWARE | RX_SOFTWARE | REPORT_SOFTWARE

#: Index of the timespec in SCM_TIMESTAMPING.
SOFTWARE_INDEX = 0
HARDWARE_INDEX = 2

MSG_ERRQUEUE = 0x2000
SOL_PACKET = 263
#: (level, type) under which sock_extended_err comes: IPv4, IPv6, packet socket.
EXTENDED_ERROR = frozenset({(0, 11), (41, 25), (SOL_PACKET, 16)})
ORIGIN_TIMESTAMPING = 4
#: ee_info: SCM_TSTAMP_SND, the stamp taken when the frame left.
INFO_SEND = 0

#: Room for SCM_TIMESTAMPING (64), IP_PKTINFO (32) or an extended error with its offender address (32 + 16), and spare.
ANCILLARY_SIZE = 256

_SOL_SOCKET = int(socket.SOL_SOCKET)
#: (length of SCM_TIMESTAMPING, index) -> how to take that one time out. 24 octets: the old option on a 32-bit machine.
_UNPACK: dict[tuple[int, int], Callable[[bytes], tuple[int, int]]] = {
    (48, SOFTWARE_INDEX): struct.Struct("=qq32x").unpack,
    (48, HARDWARE_INDEX): struct.Struct("=32xqq").unpack,
    (24, SOFTWARE_INDEX): struct.Struct("=ll16x").unpack,
    (24, HARDWARE_INDEX): struct.Struct("=16xll").unpack,
}
_EXTENDED = struct.Struct("=IBBBxII")

Ancillary = Iterable[tuple[int, int, bytes]]


def flags_for(stamping: str, *, transmit: bool) -> int:
    """The SO_TIMESTAMPING flags of a socket that only transmits, or only receives, stamped by ``stamping``."""
    hardware = stamping == "hardware"
    report = REPORT_RAW_HARDWARE if hardware else REPORT_SOFTWARE
    if transmit:
        return report | (TX_HARDWARE if hardware else TX_SOFTWARE) | OPT_ID | OPT_TSONLY
    return report | (RX_HARDWARE if hardware else RX_SOFTWARE)


def enable(sock: socket.socket, stamping: str, *, transmit: bool) -> None:
    """Ask for time stamps on ``sock``. OSError when the kernel has none of the variants.

    When it is the first socket of the host to ask for software stamps, the kernel switches them on from a work queue:
    for up to some milliseconds datagrams still arrive without.
    """
    flags = flags_for(stamping, transmit=transmit)
    variants = [(option, flags) for option in (SO_TIMESTAMPING_NEW, SO_TIMESTAMPING_OLD)]
    if not transmit:
        variants.insert(0, (SO_TIMESTAMPING_NEW, flags | OPT_RX_FILTER))
    for option, wanted in variants:
        try:
            sock.setsockopt(socket.SOL_SOCKET, option, wanted)
            return
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOPROTOOPT):
                raise
            failure = error
    raise failure


def disable(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING_NEW, 0)


def stamp_of(ancillary: Ancillary, index: int) -> int | None:
    """The time stamp among the control messages, ns; None when there is none for ``index``."""
    for level, kind, octets in ancillary:
        # Compared one by one: this runs for each datagram of a flood.
        if (kind == SO_TIMESTAMPING_NEW or kind == SO_TIMESTAMPING_OLD) and level == _SOL_SOCKET:  # noqa: SIM109
            unpack = _UNPACK.get((len(octets), index))
            if unpack is not None:
                seconds, nanoseconds = unpack(octets)
                return seconds * 1_000_000_000 + nanoseconds or None
    return None


def transmit_stamp_of(ancillary: Ancillary, index: int) -> tuple[int, int] | None:
    """(OPT_ID, stamp in ns) of one error queue entry; None when the entry is not a transmit stamp for ``index``."""
    stamp = stamp_of(ancillary, index)
    if stamp is None:
        return None
    for level, kind, octets in ancillary:
        # For IP the offender's address follows the 16 octets.
        if (level, kind) in EXTENDED_ERROR and len(octets) >= _EXTENDED.size:
            number, origin, _, _, info, data = _EXTENDED.unpack_from(octets)
            if number == errno.ENOMSG and origin == ORIGIN_TIMESTAMPING and info == INFO_SEND:
                return data, stamp
    return None
