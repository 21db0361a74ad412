"""What surrounds a PTP message in an Ethernet frame, for who passes messages on: taken off, and put on again.

An envelope is text (hexadecimal octets), so that it can stand where a transport address stands: destination and source
MAC (12 digits each), tags, EtherType, IP and UDP headers. Put on again, lengths and checksums fit what is inside, and
the UDP port fits the message's class (319 event, 320 general). IP fragments and IPv6 extension headers are not opened.
"""

from __future__ import annotations

from struct import Struct

ETHERTYPE_PTP = 0x88F7
EVENT_PORT = 319
GENERAL_PORT = 320

#: EtherTypes, and the IP protocol
IPV4, IPV6, UDP = 0x0800, 0x86DD, 17
#: EtherTypes of 802.1Q, 802.1ad and older QinQ tags, and how many of them are stepped over
TAGS = frozenset((0x8100, 0x88A8, 0x9100))
MAX_TAGS = 4
_PORTS = (EVENT_PORT, GENERAL_PORT)
_U16 = Struct(">H")
#: shorter than this no PTP message is
_HEADER = 34


def open_frame(frame: bytes) -> tuple[str, bytes] | None:
    """(envelope, octets from the first of the PTP header, with whatever pads them); None: there is no PTP inside."""
    at = 12
    for _ in range(MAX_TAGS + 1):
        if at + 2 > len(frame):
            return None
        (ethertype,) = _U16.unpack_from(frame, at)
        if ethertype not in TAGS:
            break
        at += 4
    at += 2
    if ethertype == ETHERTYPE_PTP:
        end = len(frame)
    elif ethertype == IPV4:
        header = (frame[at] & 0x0F) * 4 if at < len(frame) else 0
        udp = at + header
        if header < 20 or udp + 8 > len(frame) or frame[at + 9] != UDP or _U16.unpack_from(frame, at + 6)[0] & 0x3FFF:
            return None
        at, end = _udp(frame, udp)
    elif ethertype == IPV6:
        udp = at + 40
        if udp + 8 > len(frame) or frame[at + 6] != UDP:
            return None
        at, end = _udp(frame, udp)
    else:
        return None
    if end - at < _HEADER:
        return None
    return frame[:at].hex(), frame[at:end]


def _udp(frame: bytes, udp: int) -> tuple[int, int]:
    """Where the payload begins and ends; nothing when it is not for a port of PTP."""
    port, length = _U16.unpack_from(frame, udp + 2)[0], _U16.unpack_from(frame, udp + 4)[0]
    end = udp + length
    return (udp + 8, end) if port in _PORTS and end <= len(frame) else (0, 0)


def close_frame(envelope: str, octets: bytes) -> bytes:
    """A frame with ``octets`` inside. ValueError when ``envelope`` is not one that ``open_frame`` gave."""
    head = bytearray.fromhex(envelope)
    at = 12
    while _U16.unpack_from(head, at)[0] in TAGS:
        at += 4
    (ethertype,) = _U16.unpack_from(head, at)
    if ethertype == ETHERTYPE_PTP:
        return bytes(head) + octets
    ip, udp = at + 2, len(head) - 8
    _U16.pack_into(head, udp + 2, EVENT_PORT if octets[0] & 0x0F < 8 else GENERAL_PORT)
    _U16.pack_into(head, udp + 4, 8 + len(octets))
    pseudo = UDP.to_bytes(2) + (8 + len(octets)).to_bytes(2)
    if ethertype == IPV4:
        _U16.pack_into(head, ip + 2, len(head) - ip + len(octets))
        _U16.pack_into(head, ip + 10, 0)
        _U16.pack_into(head, ip + 10, _checksum(bytes(head[ip:udp])))
        pseudo += head[ip + 12 : ip + 20]
        wanted = _U16.unpack_from(head, udp + 6)[0] != 0
    elif ethertype == IPV6:
        _U16.pack_into(head, ip + 4, 8 + len(octets))
        pseudo += head[ip + 8 : ip + 40]
        wanted = True
    else:
        raise ValueError(f"an envelope of EtherType 0x{ethertype:04x} holds no PTP")
    if wanted:
        _U16.pack_into(head, udp + 6, 0)
        _U16.pack_into(head, udp + 6, _checksum(bytes(pseudo) + bytes(head[udp:]) + octets) or 0xFFFF)
    return bytes(head) + octets


def _checksum(octets: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(octets) & 1:
        octets += b"\0"
    # the sum of 16-bit words is the number modulo 2**16 - 1
    total = int.from_bytes(octets, "big") % 0xFFFF
    return 0xFFFF - total
