"""Strangers at a running node: what a flood of Announce comes to, and that a source that is denied is not answered."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from ptpstack.wire.codec import encode
from ptpstack.wire.messages import Announce, DelayReq
from ptpstack.wire.types import PortIdentity
from tests.netns import namespaces, veth
from tests.node.nodes import RunningNode, wait_for

pytestmark = pytest.mark.namespaces

SITE = """
[[clock]]
type = "simulated"
oscillator = "perfect"
[[instance]]
role = "grandmaster"
priority1 = 1
reference = {{ type = "simulated" }}
[[instance.port]]
interface = "va"
log_announce_interval = 0
{rules}
"""


def stranger() -> socket.socket:
    """A socket that speaks to everybody by way of ``vb``."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(
        socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("4s4si", bytes(4), bytes(4), socket.if_nametoindex("vb"))
    )
    sock.bind(("10.7.0.2", 0))
    return sock


def test_a_flood_is_limited_and_a_denied_source_gets_no_answer(tmp_path: Path) -> None:
    site = tmp_path / "gm.toml"
    site.write_text(SITE.format(rules="limit_announce = 20\nlimit_delay_req = 10"))
    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb", "10.7.0.1/24", "10.7.0.2/24")
        gm = RunningNode(ns["a"], tmp_path, "gm", "run", str(site)).ready()

        def counters() -> dict[str, Any]:
            found: dict[str, Any] = gm.status()["instances"][0]["ports"][0]["counters"]
            return found

        wait_for(lambda: gm.port_state() == "MASTER", 10, gm.words)
        with ns["b"].entered():
            sock = stranger()
        with sock:
            for number in range(500):
                source = PortIdentity(b"\x02\xff" + number.to_bytes(6, "big"), 1)
                sock.sendto(encode(Announce(source, 1, grandmaster=source.clock_identity)), ("224.0.1.129", 320))
            wait_for(lambda: counters().get("drop-limit-announce", 0) > 300, 5, gm.words)
            request = encode(DelayReq(PortIdentity(b"\x02\xff\xff\xff\xff\xff\xff\xff", 1), 1, control=1))
            for _ in range(100):
                sock.sendto(request, ("224.0.1.129", 319))
            wait_for(lambda: counters().get("drop-limit-delay-req", 0) > 50, 5, gm.words)
            assert 20 <= counters()["tx-delay_resp"] <= 50
            # changed under way: whoever it is, he is not heard any more
            text = SITE.format(rules='deny_sources = ["10.7.0.0/28"]')
            assert gm.ask("apply", text=text, base=None)["applied"] == 3
            answered = counters()["tx-delay_resp"]
            for _ in range(20):
                sock.sendto(request, ("224.0.1.129", 319))
            wait_for(lambda: counters().get("drop-source", 0) == 20, 5, gm.words)
            assert counters()["tx-delay_resp"] == answered
            assert gm.ask("apply", text=SITE.format(rules=""), base=None)["applied"] == 1
            for _ in range(100):
                sock.sendto(request, ("224.0.1.129", 319))
            wait_for(lambda: counters()["tx-delay_resp"] == answered + 100, 5, gm.words)
        assert gm.port_state() == "MASTER"
        assert gm.stop() == 0
