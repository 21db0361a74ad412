"""Options that live on Announce, with ptp4l on both sides: path trace, acceptable masters, alternate time offsets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ptpstack.wire.capture import read_capture
from ptpstack.wire.codec import decode
from ptpstack.wire.encapsulation import PtpPayload, extract
from ptpstack.wire.messages import Announce
from ptpstack.wire.tlvs.announce import AlternateTimeOffsetIndicator, PathTrace
from ptpstack.wire.tlvs.profiles import PowerProfile2017
from ptpstack.wire.types import Flag
from tests.interop.bench import Bench, Outcome, need_peers, pause, together, until
from tests.interop.frames import judge_frames

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.slow]

WITHIN_S = 40.0

SITE = """\
[node]
state_dir = "off"
[[clock]]
type = "simulated"
oscillator = "perfect"
[[instance]]
profile = "unrestricted"
clock_identity = "020000fffe000002"
path_trace = true
"""


def port(interface: str) -> str:
    return f'[[instance.port]]\ninterface = "{interface}"\nlog_announce_interval = -1\n'


def announces(path: Path) -> list[Announce]:
    """What we announced on an interface, oldest first."""
    payloads = [extract(frame) for frame in read_capture(path)]
    messages = [decode(payload.octets) for payload in payloads if isinstance(payload, PtpPayload)]
    return [message for message in messages if isinstance(message, Announce)]


def through_us(bench: Bench) -> tuple[Path, str]:
    """ptp4l - ptpstack - ptp4l, all with path trace; the end drops an Announce in which it finds itself."""
    a, b, c = bench.namespace("gm"), bench.namespace("ours"), bench.namespace("end")
    bench.wire(a, "v0", b, "b1")
    bench.wire(b, "b2", c, "v1")
    bench.capture(b, "b2")
    options: dict[str, Any] = {"path_trace_enabled": 1, "logAnnounceInterval": -1}
    grandmaster = bench.ptp4l(a, "v0", priority1=100, **options)
    ours = bench.site(b, SITE + port("b1") + port("b2"))
    end = bench.ptp4l(c, "v1", slaveOnly=1, **options)
    ours.ready()
    until("the end follows the grandmaster", lambda: end.grandmaster() == grandmaster.grandmaster(), WITHIN_S)
    until("by us", lambda: end.get("CURRENT_DATA_SET").get("stepsRemoved") == "2", WITHIN_S)
    # tcpdump writes what it has once a second
    pause(2.0)
    return bench.captures[0], grandmaster.grandmaster()


REFERENCE = '[instance.reference]\ntype = "declared"\nstate = "locked"\naccuracy = "100 ns"\n'
ZONES = """\
[[instance.alternate_time_offset]]
key = 1
zone = "Europe/Berlin"
[[instance.alternate_time_offset]]
key = 2
zone = "Asia/Shanghai"
[instance.power]
edition = "2017"
grandmaster_id = 7
"""


def local_times(bench: Bench) -> Path:
    """A grandmaster of ours with two local times and path trace; ptp4l follows it all the same."""
    a, b = bench.namespace("ours"), bench.namespace("theirs")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    text = SITE + 'role = "grandmaster"\n' + port("v0") + REFERENCE + ZONES
    ours = bench.site(a, text)
    theirs = bench.ptp4l(b, "v1", slaveOnly=1, path_trace_enabled=1, logAnnounceInterval=-1)
    ours.ready()
    until("they follow us", lambda: theirs.grandmaster() == "020000fffe000002", WITHIN_S)
    pause(2.0)
    return bench.captures[0]


def acceptable(bench: Bench) -> tuple[str, str]:
    """Two grandmasters on one bridge; only the worse one is in our table."""
    a, b = bench.namespace("ours"), bench.namespace("theirs")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    wanted = "020000fffe0000aa"
    bench.ptp4l(b, "v1", name="good", priority1=1, clockIdentity="020000.fffe.0000bb")
    bench.ptp4l(b, "v1", name="wanted", priority1=100, clockIdentity="020000.fffe.0000aa", BMCA="noop", masterOnly=1)
    table = f'[[instance.acceptable_master]]\nclock_identity = "{wanted}"\n'
    told = 'monitor = ["rx-sync-timing", "tx-event-timestamps"]\nmonitor_events = 2\n'
    ours = bench.site(a, SITE + "client_only = true\n" + port("v0") + told + table)
    ours.ready()
    until("we follow somebody", lambda: ours.port_states()[0] in ("UNCALIBRATED", "SLAVE"), WITHIN_S)
    until("the other is heard", lambda: ours.instance()["ports"][0]["counters"].get("drop-announce-not-acceptable"), 20)
    until("we tell what we measure", lambda: ours.instance()["ports"][0]["counters"].get("tx-signaling", 0) > 3, 20)
    return ours.grandmaster(), wanted


def alternate(bench: Bench) -> Path:
    """ptp4l is the grandmaster, we are the next and say so; ptp4l does not take us for a master that it must fear."""
    a, b = bench.namespace("ours"), bench.namespace("theirs")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    theirs = bench.ptp4l(b, "v1", priority1=1, clockClass=6, logAnnounceInterval=-1)
    text = SITE + "priority1 = 2\n" + port("v0") + "alternate_masters = 1\n" + REFERENCE
    ours = bench.site(a, text)
    ours.ready()
    until("we are passive", lambda: ours.port_states() == ["PASSIVE"], WITHIN_S)
    pause(4.0)
    assert theirs.port_states() == ["MASTER"]
    assert ours.port_states() == ["PASSIVE"]
    return bench.captures[0]


SCENARIOS: dict[str, Any] = {
    "through us": through_us,
    "local times": local_times,
    "acceptable": acceptable,
    "alternate": alternate,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("tlvs")


@pytest.fixture(scope="module")
def runs(folder: Any) -> dict[str, Outcome]:
    need_peers()
    return together(SCENARIOS, folder, at_once=2)


def test_path_trace_through_us(runs: dict[str, Outcome]) -> None:
    capture, grandmaster = runs["through us"].get()
    path = next(tlv.path for tlv in announces(capture)[-1].tlvs if isinstance(tlv, PathTrace))
    assert [clock.hex() for clock in path] == [grandmaster, "020000fffe000002"]


def test_ptp4l_follows_a_grandmaster_with_local_times(runs: dict[str, Outcome]) -> None:
    last = announces(runs["local times"].get())[-1]
    assert last.tlvs[0] == PowerProfile2017(7, total_time_inaccuracy_ns=250)
    offsets = {t.key: t for t in last.tlvs if isinstance(t, AlternateTimeOffsetIndicator)}
    assert offsets[1].current_offset_s in (3600 - 37, 7200 - 37)
    assert abs(offsets[1].jump_s) == 3600
    assert (offsets[2].current_offset_s, offsets[2].jump_s) == (8 * 3600 - 37, 0)


def test_an_alternate_master_of_ours_beside_ptp4l(runs: dict[str, Outcome]) -> None:
    sent = announces(runs["alternate"].get())
    assert [m.grandmaster.hex() for m in sent if m.flags & Flag.ALTERNATE_MASTER][-3:] == ["020000fffe000002"] * 3


def test_only_the_acceptable_master_is_followed(runs: dict[str, Outcome]) -> None:
    followed, wanted = runs["acceptable"].get()
    assert followed == wanted


def test_every_frame_we_sent_is_well_formed(runs: dict[str, Outcome], folder: Any) -> None:
    seen = judge_frames(runs.values(), folder)
    assert seen["ANNOUNCE"]
    assert seen["SIGNALING"]
