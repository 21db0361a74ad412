"""Inputs, outputs and pins over a fake kernel: the octets, their order, and refusals that the rig does not make."""

from __future__ import annotations

import errno
import struct

import pytest

from ptpstack.clocks.base import ClockError, ExternalTimestamp
from ptpstack.clocks.phc import LinuxPhc

from .fakes import (
    ENABLE_PPS,
    EXTTS,
    EXTTS2,
    MASK_CLEAR_ALL,
    MASK_EN_SINGLE,
    PEROUT,
    PEROUT2,
    PIN_GETFUNC,
    PIN_SETFUNC,
    FakeKernel,
)

NS = 1 << 16
S = 10**9


@pytest.fixture
def kernel() -> FakeKernel:
    return FakeKernel()


@pytest.fixture
def phc(kernel: FakeKernel) -> LinuxPhc:
    return LinuxPhc("/dev/ptp0", kernel=kernel)


def test_an_input_is_set_up_in_order(phc: LinuxPhc, kernel: FakeKernel) -> None:
    kernel.events = [(5, 1), (7, 0)]
    grant = phc.request_external_timestamps(1, pin=2, edge="falling")
    requests, octets = zip(*kernel.requests, strict=True)
    assert requests == (PIN_SETFUNC, EXTTS, MASK_CLEAR_ALL, MASK_EN_SINGLE, EXTTS2)
    assert struct.unpack("<64sIII20x", octets[0])[1:] == (2, 1, 1)
    assert octets[1] == struct.pack("<II8x", 1, 0)
    assert octets[3] == struct.pack("<I", 1)
    assert octets[4] == struct.pack("<II8x", 1, 1 | 4)
    assert (grant.pin, grant.edge, grant.strict, grant.alone) == (2, "falling", True, True)
    assert phc.read_external_timestamps() == [], "what waited is thrown away"


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL, errno.ENOTTY])
def test_an_edge_that_cannot_be_promised(phc: LinuxPhc, kernel: FakeKernel, number: int) -> None:
    kernel.errors = {EXTTS2: number}
    grant = phc.request_external_timestamps(0)
    assert kernel.requests[-1] == (EXTTS, struct.pack("<II8x", 0, 1 | 2))
    assert (grant.edge, grant.strict, grant.enabled) == ("both", False, True)
    assert "both may come" in grant.note


def test_other_refusals_of_an_input_are_not_retried(phc: LinuxPhc, kernel: FakeKernel) -> None:
    kernel.errors = {EXTTS2: errno.EIO}
    with pytest.raises(ClockError, match="stamp edges at input 0") as caught:
        phc.request_external_timestamps(0)
    assert caught.value.errno == errno.EIO


def test_a_kernel_without_masks(phc: LinuxPhc, kernel: FakeKernel) -> None:
    kernel.errors = {MASK_CLEAR_ALL: errno.ENOTTY}
    assert not phc.request_external_timestamps(0).alone


def test_all_events_are_read_in_one_go(phc: LinuxPhc, kernel: FakeKernel) -> None:
    phc.request_external_timestamps(0)
    kernel.events = [(k * S + 5, 0) for k in range(70)]
    assert phc.read_external_timestamps() == [ExternalTimestamp(0, (k * S + 5) * NS) for k in range(70)]
    assert phc.read_external_timestamps() == []


def test_a_removed_clock_says_so_when_read(phc: LinuxPhc, kernel: FakeKernel) -> None:
    kernel.errors = {"read": errno.ENODEV}
    with pytest.raises(ClockError, match="external time stamps") as caught:
        phc.read_external_timestamps()
    assert caught.value.gone


def test_the_pin_that_has_the_function_keeps_it(phc: LinuxPhc, kernel: FakeKernel) -> None:
    kernel.pin_table[3] = (b"SMA", 2, 1)
    assert phc.set_periodic_output(1, period_ns=S).pin == 3
    assert not any(request == PIN_SETFUNC for request, _ in kernel.requests)


def test_a_free_pin_is_taken_and_only_a_free_one(phc: LinuxPhc, kernel: FakeKernel) -> None:
    kernel.pin_table = [(b"a", 2, 0), (b"b", 0, 0), (b"c", 1, 1), (b"d", 2, 1)]
    assert phc.request_external_timestamps(0).pin == 1
    kernel.pin_table[1] = (b"b", 2, 2)
    with pytest.raises(ClockError, match="no pin is free for extts 0"):
        phc.request_external_timestamps(0)


def test_output_octets(phc: LinuxPhc, kernel: FakeKernel) -> None:
    grant = phc.set_periodic_output(0, period_ns=S, pulse_ns=S // 10, pin=0)
    now = kernel.true_ns + kernel.phc_offset_ns
    assert grant.start_sns == (now // S + 2) * S * NS
    layout = "<qI4xqI4xIIqI4x"
    assert kernel.requests[-1] == (PEROUT2, struct.pack(layout, now // S + 2, 0, 1, 0, 0, 2, 0, S // 10))
    phc.set_periodic_output(2, period_ns=S // 4, start_sns=(5 * S + 3) * NS)
    assert kernel.requests[-1] == (PEROUT2, struct.pack(layout, 5, 3, 0, S // 4, 2, 0, 0, 0))
    phc.set_periodic_output(0, period_ns=0)
    assert kernel.requests[-1] == (PEROUT2, struct.pack(layout, 0, 0, 0, 0, 0, 0, 0, 0))


def test_a_kernel_before_5_4_makes_outputs_too(phc: LinuxPhc, kernel: FakeKernel) -> None:
    kernel.errors = {PEROUT2: errno.ENOTTY}
    grant = phc.set_periodic_output(0, period_ns=S, pulse_ns=1000)
    assert kernel.requests[-1][0] == PEROUT
    assert (grant.pulse_ns, bool(grant.note)) == (None, True)


@pytest.mark.parametrize(("period", "pulse"), [(-1, None), (S, S), (S, 0), (0, 5)])
def test_impossible_outputs(phc: LinuxPhc, kernel: FakeKernel, period: int, pulse: int | None) -> None:
    with pytest.raises(ValueError, match="cannot be made"):
        phc.set_periodic_output(0, period_ns=period, pulse_ns=pulse)
    assert kernel.requests == []


def test_pps_is_a_number_not_a_pointer(phc: LinuxPhc, kernel: FakeKernel) -> None:
    phc.enable_pps(True)
    phc.enable_pps(False)
    assert kernel.requests == [(ENABLE_PPS, b"\x01"), (ENABLE_PPS, b"\x00")]
    kernel.errors = {ENABLE_PPS: errno.EPERM}
    with pytest.raises(ClockError, match="CAP_SYS_TIME"):
        phc.enable_pps(True)


def test_phase_octets(phc: LinuxPhc, kernel: FakeKernel) -> None:
    kernel.errors = {}
    with pytest.raises(ClockError, match="at most") as caught:
        phc.adjust_phase(1001)
    assert caught.value.errno == errno.ERANGE
    with pytest.raises(ClockError, match="cannot do it"):
        phc.adjust_phase(-5)  # this kernel knows no phase; the octets are what counts here
    timex = struct.unpack("<I4x4q", kernel.octets[-1][:40])
    assert timex[:2] == (0x2001, -5)


def test_a_pin_of_an_unknown_function_is_shown_as_a_number(phc: LinuxPhc, kernel: FakeKernel) -> None:
    kernel.pin_table[0] = (b"SDP0", 9, 0)
    assert phc.pins()[0].function == "9"
    with pytest.raises(ValueError, match="none, extts, perout, physync"):
        phc.set_pin(0, "input")
    assert kernel.calls[PIN_GETFUNC] == 4
