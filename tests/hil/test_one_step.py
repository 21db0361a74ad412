"""One-step transmission by a NIC that can, and the refusal of one that cannot; ptp4l is the judge on the other side."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from ptpstack.net import abilities
from ptpstack.net.channel import ChannelError
from ptpstack.net.open import open_channel
from ptpstack.node.client import ControlClient
from tests.hil import rig as hil
from tests.net.beds import SYNC, now
from tests.netns import Namespace
from tools.hil.contest import Side, wired

pytestmark = hil.marks


def start(role: str, kind: str, transport: str, delay: str, where: Namespace, folder: Path) -> Side:
    index = {"gm": 0, "oc": 1}[role]
    pair = {role: kind, "transport": transport, "delay": delay, "one_step": "gm"}
    return Side(role, index, pair, "hardware", where, folder)


@pytest.mark.parametrize(
    ("transport", "delay", "gm", "oc"),
    [
        ("l2", "P2P", "ptpstack", "ptp4l"),
        ("l2", "P2P", "ptp4l", "ptpstack"),
        ("udp4", "P2P", "ptpstack", "ptpstack"),
        ("udp4", "E2E", "ptpstack", "ptp4l"),
        ("udp6", "E2E", "ptpstack", "ptp4l"),
    ],
)
def test_MSG_02_clients_follow_a_one_step_grandmaster(
    transport: str, delay: str, gm: str, oc: str, tmp_path: Path
) -> None:
    """With checksums that hold: a UDP datagram with a wrong one would never come to a socket."""
    hil.load()
    hil.knob("phc1/osc_ppt", -20_000_000)
    with wired(1) as spaces:
        sides = [start("gm", gm, transport, delay, spaces[0], tmp_path)]
        try:
            time.sleep(3)
            sides.append(start("oc", oc, transport, delay, spaces[1], tmp_path))
            errors: list[int] = []
            end = time.monotonic() + 90
            while len(errors) < 12 or max(map(abs, errors[-12:])) > 12:
                assert time.monotonic() < end, f"not within 12 ns: {errors[-12:]}"
                time.sleep(0.43)
                truth = hil.snapshot()
                errors.append(truth.error(1) - truth.error(0))
            if gm == "ptpstack":
                with ControlClient(sides[0].socket) as client:
                    status = client.request("status")
                assert [c["one_step"] for c in status["channels"]] == ["p2p"]
                counters = status["instances"][0]["ports"][0]["counters"]
                assert counters["tx-sync"] > 3
                assert {"tx-follow_up", "tx-pdelay_resp_follow_up"} & counters.keys() == set()
                assert status["channels"][0]["counters"]["tx_stamp_missing"] == 0
        finally:
            for side in sides:
                side.stop()


def test_a_nic_without_one_step_is_refused_with_its_reason(tmp_path: Path) -> None:
    hil.load(no_onestep=1)
    with wired(1) as spaces, spaces[0].entered():
        with pytest.raises(ChannelError, match=r"hil0: no one-step transmission: only a NIC can.*types are off, on"):
            open_channel("hil0", "l2", one_step="yes")
        channel = open_channel("hil0", "l2", one_step="auto")
        assert (channel.stamping, channel.one_step) == ("hardware", "")
        channel.close()


def test_one_step_is_switched_off_again_by_who_does_not_want_it() -> None:
    hil.load()
    with wired(1) as spaces, spaces[0].entered():
        channel = open_channel("hil0", "l2", one_step="auto")
        assert channel.one_step == "p2p"
        # no stamp is reported for what the NIC completes; for what it does not, one is
        channel.send_event(SYNC, None, 1, now())
        channel.send_event(bytes.fromhex("01120044") + bytes(64), None, 2, now())
        time.sleep(0.05)
        assert [s.token for s in channel.transmit_stamps(now()) if s.stamp_ns] == [2]
        channel.close()
        open_channel("hil0", "l2").close()
        config = abilities.current("hil0")
        assert config is not None
        assert config.tx_type == abilities.TX_ON
