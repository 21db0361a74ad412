"""Real nodes on hardware clocks, with trouble of every kind: none of it takes a port down, all of it is counted."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.hil import rig as hil
from tests.hil.pairs import Pair, running_pair

pytestmark = hil.marks

SERVING = {("MASTER", "SLAVE")}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """One pair for all tests here: each begins settled and puts back what it changed."""
    with running_pair(tmp_path_factory.mktemp("pair"), "l2") as pair:
        yield pair


@pytest.fixture(autouse=True)
def settled(pair: Pair) -> None:
    pair.settle()


def test_TRN_19_latencies_and_asymmetry_cancel_exactly(pair: Pair) -> None:
    """Stamps 120 to 450 ns off and a wire 2 us longer one way: what is configured makes up for all of it."""
    time.sleep(8)
    states, errors = pair.watch(8)
    assert states == SERVING
    assert max(map(abs, errors)) <= 2
    delay = pair.oc.status()["instances"][0]["mean_path_delay_ns"]
    assert delay == pytest.approx(4000, abs=2)
    # And it is the configuration that does it: a latency that nobody told of shows up, half of it as an offset.
    with hil.knobs(port0__tx_latency_ns=300 + 80):
        time.sleep(10)
        _, errors = pair.watch(4)
    assert all(abs(abs(error) - 40) <= 3 for error in errors)


def test_lost_transmit_stamps(pair: Pair) -> None:
    before = [pair.counted(node, "tx_stamp_missing") for node in (pair.gm, pair.oc)]
    hil.knob("port0/drop_txts", 3)
    hil.knob("port1/drop_txts", 3)
    states, errors = pair.watch(5)
    assert states == SERVING
    assert max(map(abs, errors)) <= 20
    after = [pair.counted(node, "tx_stamp_missing") for node in (pair.gm, pair.oc)]
    assert [b - a for a, b in zip(before, after, strict=True)] == [3, 3]


def test_late_transmit_stamps(pair: Pair) -> None:
    """Some ms late: used as ever. Too late: dropped and counted, and no other message gets such a stamp."""
    missing = pair.counted(pair.gm, "tx_stamp_missing")
    with hil.knobs(port0__txts_delay_us=8000, port1__txts_delay_us=8000):
        states, errors = pair.watch(5)
    assert (states, pair.counted(pair.gm, "tx_stamp_missing")) == (SERVING, missing)
    assert max(map(abs, errors)) <= 15
    with hil.knobs(port0__txts_delay_us=150_000, port1__txts_delay_us=150_000):
        states, errors = pair.watch(2)
    states_after, errors_after = pair.watch(3)
    assert states | states_after == SERVING
    assert max(map(abs, errors + errors_after)) <= 30
    assert pair.counted(pair.gm, "tx_stamp_missing") - missing >= 3
    assert pair.counted(pair.gm, "tx_stamp_late") >= 3
    assert pair.counted(pair.oc, "tx_stamp_late") >= 2


def test_lost_receive_stamps(pair: Pair) -> None:
    before = pair.counted(pair.oc, "no_stamp")
    hil.knob("port1/drop_rxts", 3)
    states, errors = pair.watch(4)
    assert states == SERVING
    assert max(map(abs, errors)) <= 20
    assert pair.counted(pair.oc, "no_stamp") - before == 3


def test_a_clock_that_refuses_commands_for_a_while(pair: Pair) -> None:
    with hil.knobs(phc1__fail=4):
        states, errors = pair.watch(5)
    assert states == SERVING
    assert max(map(abs, errors)) <= 200, "it runs on at the last frequency"
    assert "Input/output error (EIO)" in pair.oc.words()
    time.sleep(11)  # it is left alone for ten seconds, and then tried again
    pair.settle()


def test_a_clock_that_cannot_be_read_for_a_while(pair: Pair) -> None:
    with hil.knobs(phc0__fail=17, phc1__fail=17):
        states, errors = pair.watch(4)
    assert states == SERVING
    assert max(map(abs, errors)) <= 50
    time.sleep(11)


def test_a_clock_that_is_pulled_out_does_not_end_the_node(pair: Pair) -> None:
    """The last test here: what comes back is another clock, at another time."""
    hil.knob("phc1/present", 0)
    states, _ = pair.watch(6)
    assert {client for _, client in states} <= {"SLAVE", "UNCALIBRATED"}
    assert pair.oc.process.poll() is None
    assert "the device is gone" in pair.oc.words()
    hil.knob("phc1/present", 1)
    time.sleep(2)
    assert pair.gm.port_state() == "MASTER"
    assert pair.oc.process.poll() is None
