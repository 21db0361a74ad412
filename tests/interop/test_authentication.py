"""Signed frames before a ptp4l that cannot verify them, and before tshark.

No ptp4l before 4.3 has authentication. 4.2 skips the TLV, which shows that the frames around it are right; 3.1.1 takes
no TLV on event messages, so that it accepts our Announce and none of our Sync. What a peer with keys makes of them is
in tests/protocol/test_security.py, from octets, and in tests/config/test_sa_file.py, from test vectors.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import subprocess
from pathlib import Path

import pytest

from ptpstack.wire.capture import read_capture
from ptpstack.wire.encapsulation import PtpPayload, extract
from tests.interop.bench import Bench, Outcome, environment, identity, need_peers, until
from tests.interop.frames import judge_frames

pytestmark = [pytest.mark.interop, pytest.mark.namespaces]

SECRET = "5c" * 32
SITE = """
[node]
sa_file = "{keys}"
[[clock]]
type = "simulated"
oscillator = "perfect"
[[instance]]
{instance}
[[instance.port]]
interface = "{interface}"
transport = "{transport}"
log_announce_interval = 0
spp = 1
allow_unauthenticated = "{allow}"
"""


def ptp4l_version() -> tuple[int, ...]:
    done = subprocess.run(["ptp4l", "-v"], capture_output=True, text=True, check=False, env=environment())
    return tuple(int(n) for n in re.findall(r"\d+", done.stdout + done.stderr))


@pytest.mark.parametrize("transport", ["udp4", "l2"])
def test_ptp4l_follows_a_grandmaster_that_signs_and_tshark_has_no_complaint(tmp_path: Path, transport: str) -> None:
    need_peers()
    keys = tmp_path / "keys"
    keys.write_text(f"[security_association]\nspp 1\n1 SHA256-128 HEX:{SECRET}\n")
    keys.chmod(0o600)
    with Bench(tmp_path / "bench") as bench:
        ours, theirs = bench.namespace("gm"), bench.namespace("oc")
        bench.wire(ours, "g0", theirs, "c0")
        bench.capture(ours, "g0")
        instance = 'role = "grandmaster"\npriority1 = 1\nreference = { type = "simulated" }'
        fields = {"keys": keys, "instance": instance, "transport": transport}
        node = bench.site(ours, SITE.format(interface="g0", allow="yes", **fields)).ready()
        client = bench.ptp4l(theirs, "c0", transport=transport, slaveOnly=1, logSyncInterval=0)
        ours_is = identity(node.instance()["clock_identity"])
        until("ptp4l to take our Announce", lambda: client.grandmaster() == ours_is, 30)
        if ptp4l_version() >= (4,):
            until("offsets of ptp4l", lambda: len(client.offsets()) >= 5, 30)
            assert node.instance()["ports"][0]["counters"]["rx-unauthenticated"] > 0  # its Delay_Req
        else:
            until("ptp4l to refuse our Sync", lambda: "bad message" in client.text(), 30)
        captures = bench.captures
    seen = judge_frames([Outcome(captures=captures)], tmp_path)
    assert {"SYNC", "FOLLOW_UP", "ANNOUNCE"} <= set(seen)
    for frame in read_capture(captures[0]):
        payload = extract(frame)
        assert isinstance(payload, PtpPayload)
        octets = payload.octets[: int.from_bytes(payload.octets[2:4], "big")]
        assert octets[-16:] == hmac.new(bytes.fromhex(SECRET), octets[:-16], hashlib.sha256).digest()[:16]


def test_a_client_with_a_key_does_not_follow_ptp4l_that_has_none_unless_told_so(tmp_path: Path) -> None:
    need_peers()
    keys = tmp_path / "keys"
    keys.write_text(f"[security_association]\nspp 1\n1 SHA256-128 HEX:{SECRET}\n")
    keys.chmod(0o600)
    with Bench(tmp_path / "bench") as bench:
        gm = bench.namespace("gm")
        clients = {}
        for name, allow in (("strict", "no"), ("early", "until-first")):
            theirs = bench.namespace(name)
            bench.wire(gm, f"g-{name}", theirs, "c0")
            fields = {"keys": keys, "instance": "client_only = true", "transport": "udp4"}
            clients[name] = bench.site(theirs, SITE.format(interface="c0", allow=allow, **fields), name=name)
        bench.ptp4l(gm, "g-strict", "g-early", logSyncInterval=0)
        for client in clients.values():
            client.ready()
        until("a client that follows", lambda: clients["early"].port_states() == ["SLAVE"], 40)
        port = clients["strict"].instance()["ports"][0]
        assert port["state"] == "LISTENING"
        assert port["counters"]["drop-unauthenticated"] > 3
        (entry,) = clients["strict"].ask("explain")["instances"]
        assert "frames without AUTHENTICATION" in " ".join(entry["ports"][0]["remarks"])
