"""Hardware stamps, in the guest of the hardware rig: ports hil0 <-> hil1 with clocks and knobs."""

from __future__ import annotations

import errno
import select
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ptpstack.net import abilities
from ptpstack.net.interfaces import report
from ptpstack.net.open import open_channel
from tests.hil import rig as hil
from tests.net.beds import FOLLOW_UP, SYNC, now, stamps, take
from tests.netns import Namespace, namespaces

KNOBS = hil.FOLDER / "port0"

pytestmark = hil.marks


@pytest.fixture(scope="module")
def far() -> Iterator[Namespace]:
    """hil0 stays here; hil1 goes into a namespace, else the two addresses would be one host's."""
    hil.load()
    with namespaces("far") as ns:
        far = ns["far"]
        subprocess.run(["ip", "link", "set", "hil1", "netns", far.path], check=True)
        for ip, name, end in ((_ip, "hil0", 1), (far.ip, "hil1", 2)):
            ip(f"address add 10.9.0.{end}/24 dev {name}")
            ip(f"address add fd00:9::{end}/64 dev {name} nodad")
            ip(f"link set {name} up")
        time.sleep(1)
        yield far
        far.ip("link set hil1 netns 1")


def _ip(arguments: str) -> str:
    return subprocess.run(["ip", *arguments.split()], check=True, capture_output=True, text=True).stdout


@pytest.fixture(params=["udp4", "udp6", "l2"])
def channels(request: pytest.FixtureRequest, far: Namespace) -> Iterator[tuple[Any, Any]]:
    a = open_channel("hil0", request.param)
    with far.entered():
        b = open_channel("hil1", request.param)
    yield a, b
    a.close()
    b.close()


def test_hardware_is_chosen_and_switched_on(channels: tuple[Any, Any]) -> None:
    a, _ = channels
    assert a.stamping == "hardware"
    assert a.phc_index == report("hil0").phc_index
    setting = abilities.current("hil0")
    assert setting is not None
    assert (setting.tx_type, setting.rx_filter) == (abilities.TX_ON, abilities.FILTER_PTP_V2_EVENT)


def test_what_the_driver_granted_is_said(far: Namespace) -> None:
    """Set by somebody else to stamp everything: that is kept, and told."""
    subprocess.run(["hwstamp_ctl", "-i", "hil0", "-t", "1", "-r", "1"], check=True, capture_output=True)
    assert abilities.current("hil0") == abilities.HardwareConfig(abilities.TX_ON, abilities.FILTER_ALL)
    channel = open_channel("hil0", "l2")
    assert "what it is set to, all, covers that" in channel.stamping_reason
    channel.close()
    subprocess.run(["hwstamp_ctl", "-i", "hil0", "-t", "0", "-r", "0"], check=True, capture_output=True)


def test_stamps_of_both_ends(channels: tuple[Any, Any]) -> None:
    a, b = channels
    a.send_event(SYNC, None, 5, now())
    a.send_general(FOLLOW_UP, None)
    (sent,) = stamps(a, 1)
    received = take(b, 2)
    assert sent.stamp_ns
    (event,) = [r for r in received if r.event]
    (general,) = [r for r in received if not r.event]
    assert event.stamp_ns
    assert general.stamp_ns is None
    # Each on its own PHC; the module starts all of them within a second of each other.
    assert abs(event.stamp_ns - sent.stamp_ns) < 1_000_000_000
    assert b.counters()["no_stamp"] == 0


def test_a_lost_stamp_shifts_no_other(channels: tuple[Any, Any]) -> None:
    a, _ = channels
    KNOBS.joinpath("drop_txts").write_text("1")
    for token in (20, 21, 22):
        a.send_event(SYNC, None, token, now())
        time.sleep(0.005)
    answers = {s.token: s for s in stamps(a, 3)}
    assert (answers[20].stamp_ns, answers[20].missing) == (None, "timeout")
    assert answers[21].stamp_ns < answers[22].stamp_ns


def test_stamps_in_the_wrong_order_go_to_their_own_frames(channels: tuple[Any, Any]) -> None:
    """As from a NIC with several queues."""
    a, _ = channels
    KNOBS.joinpath("swap_txts").write_text("2")
    for token in (60, 61, 62, 63):
        a.send_event(SYNC, None, token, now())
        time.sleep(0.002)
    answers = {s.token: s.stamp_ns for s in stamps(a, 4)}
    assert sorted(answers.values()) == [answers[token] for token in (60, 61, 62, 63)]
    assert all(answers[t + 1] - answers[t] > 1_500_000 for t in (60, 61, 62))
    assert a.counters()["tx_stamp_missing"] == 0


def test_a_late_stamp_is_missing_and_the_next_is_right(channels: tuple[Any, Any]) -> None:
    a, _ = channels
    KNOBS.joinpath("txts_delay_us").write_text("150000")
    try:
        a.send_event(SYNC, None, 30, now())
        (answer,) = stamps(a, 1)
        assert (answer.token, answer.missing) == (30, "timeout")
        time.sleep(0.2)
    finally:
        KNOBS.joinpath("txts_delay_us").write_text("0")
    a.send_event(SYNC, None, 31, now())
    (answer,) = stamps(a, 1)
    assert answer.token == 31
    assert answer.stamp_ns
    assert a.counters()["tx_stamp_late"] == 1


def test_a_delayed_stamp_wakes_the_poller(channels: tuple[Any, Any]) -> None:
    a, _ = channels
    KNOBS.joinpath("txts_delay_us").write_text("20000")
    try:
        poll = select.poll()
        poll.register(a.stamp_fileno(), 0)
        a.send_event(SYNC, None, 40, now())
        assert a.transmit_stamps(now()) == []
        assert poll.poll(2000)
        (answer,) = a.transmit_stamps(now())
        assert answer.token == 40
        assert answer.stamp_ns
        assert poll.poll(0) == []
    finally:
        KNOBS.joinpath("txts_delay_us").write_text("0")


def test_a_driver_without_the_filter_refuses_and_the_sentence_says_so(far: Namespace) -> None:
    """The last test here: it loads the ports anew."""
    far.ip("link set hil1 netns 1")
    hil.load(only_event=1)
    able = abilities.query("hil0")
    assert "all" not in able.filter_names()
    assert abilities.choose(able, "l2").rx_filter == abilities.FILTER_PTP_V2_EVENT
    everything = abilities.Choice("hardware", "", 0, abilities.FILTER_ALL)
    with pytest.raises(OSError, match="range") as caught:
        abilities.apply("hil0", "l2", everything)
    assert caught.value.errno == errno.ERANGE
    hil.knob("phc0/present", 0)
    gone = abilities.query("hil0")
    assert not gone.hardware
    assert "no PTP hardware clock" in abilities.choose(gone, "l2").reason
    subprocess.run(["ip", "link", "set", "hil1", "netns", far.path], check=True)
