"""LinuxPhc over a fake kernel: the octets it sends, and what it makes of refusals."""

import errno
import os
import struct

import pytest

from ptpstack.clocks.base import ClockError
from ptpstack.clocks.phc import LinuxPhc

from .fakes import EXTENDED, GETCAPS, OFFSET, PRECISE, TIMEX, FakeKernel

NS = 1 << 16
MODES, FREQ, SECONDS, FRACTION = 0, 2, 9, 10


@pytest.fixture
def kernel() -> FakeKernel:
    return FakeKernel()


@pytest.fixture
def phc(kernel: FakeKernel) -> LinuxPhc:
    return LinuxPhc("/dev/ptp0", kernel=kernel)


def last_timex(kernel: FakeKernel) -> tuple[int, ...]:
    return struct.unpack(TIMEX, kernel.octets[-1])


def test_capabilities(phc: LinuxPhc) -> None:
    caps = phc.capabilities
    assert (caps.max_adjustment_ppb, caps.can_step, caps.can_adjust) == (62_499_999.0, True, True)
    assert (caps.external_timestamps, caps.periodic_outputs, caps.pins, caps.pps) == (2, 3, 4, True)


def test_a_hardware_stamp_is_ptp_time(phc: LinuxPhc) -> None:
    assert phc.stamp_sns(1_795_172_933_000_000_001) == 1_795_172_933_000_000_001 * NS


def test_frequency_octets(phc: LinuxPhc, kernel: FakeKernel) -> None:
    assert phc.set_frequency(-10_000.0) == -10_000.0
    timex = last_timex(kernel)
    assert (timex[MODES], timex[FREQ]) == (2, -655_360)
    assert sum(1 for value in timex if value) == 2
    assert phc.frequency_ppb() == -10_000.0
    assert last_timex(kernel)[MODES] == 0


def test_step_octets(phc: LinuxPhc, kernel: FakeKernel) -> None:
    phc.step(-300_000_000 * NS)
    timex = last_timex(kernel)
    assert (timex[MODES], timex[SECONDS], timex[FRACTION]) == (0x2100, -1, 700_000_000)
    phc.step(3 * NS // 2)
    assert last_timex(kernel)[FRACTION] == 2
    phc.step(-NS // 4)
    assert last_timex(kernel)[SECONDS : FRACTION + 1] == (0, 0)


@pytest.mark.parametrize("kernel", [FakeKernel(old=True)])
def test_a_kernel_before_5_4(phc: LinuxPhc, kernel: FakeKernel) -> None:
    assert phc.capabilities.max_adjustment_ppb == 62_499_999.0
    assert phc.cross_reading().method == "precise"
    kernel.errors = {PRECISE: errno.EOPNOTSUPP}
    assert phc.cross_reading().method == "extended"
    kernel.errors |= {EXTENDED: errno.EOPNOTSUPP}
    assert phc.cross_reading().method == "offset"


@pytest.mark.parametrize(
    ("cross", "refused", "method"),
    [
        (True, (), "precise"),
        (False, (), "extended"),
        (True, (PRECISE,), "extended"),
        (False, (EXTENDED,), "offset"),
        (False, (EXTENDED, OFFSET), "sandwich"),
    ],
)
@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL])
def test_the_best_method_is_chosen_at_open(cross: bool, refused: tuple[int, ...], method: str, number: int) -> None:
    kernel = FakeKernel(cross=cross)
    kernel.errors = dict.fromkeys(refused, number)
    phc = LinuxPhc(kernel=kernel)
    assert phc.capabilities.cross_method == method
    reading = phc.cross_reading(9)
    assert reading.method == method
    error_ns = (reading.clock_sns >> 16) - reading.realtime_ns - 37 * 10**9
    assert abs(error_ns) <= reading.bound_ns
    calls = kernel.calls.copy()
    phc.cross_reading(9)
    assert all(kernel.calls[request] == calls[request] for request in refused), "tried again what cannot work"
    assert all(phc.method_notes.values())


def test_the_shortest_sample_gives_the_bound() -> None:
    kernel = FakeKernel(cross=False)
    phc = LinuxPhc(kernel=kernel)
    reading = phc.cross_reading(5)
    assert reading.samples == 5
    assert 100.0 <= reading.bound_ns <= 102.0  # samples take 2 x (100 + 37 k) ns
    assert struct.unpack_from("<I", kernel.octets[-1])[0] == 5


def test_precise_may_fail_later_and_come_back(phc: LinuxPhc, kernel: FakeKernel) -> None:
    kernel.errors = {PRECISE: errno.ETIMEDOUT}
    assert phc.cross_reading().method == "extended"
    kernel.errors = {}
    assert phc.cross_reading().method == "precise"
    kernel.errors = {PRECISE: errno.ENODEV}  # the clock source is no longer the one the hardware knows
    methods = [phc.cross_reading().method for _ in range(4)]
    assert methods == ["extended"] * 4
    assert phc.capabilities.cross_method == "extended"
    assert "ENODEV" in phc.method_notes["precise"]


def test_a_system_clock_stepped_back_during_a_sample_is_not_used(kernel: FakeKernel) -> None:
    kernel.errors = dict.fromkeys((PRECISE, EXTENDED, OFFSET), errno.ENOTTY)
    phc = LinuxPhc(kernel=kernel)
    before = phc.cross_reading
    kernel.read_ns = -1000
    with pytest.raises(ClockError, match="sandwich"):
        before()
    kernel.read_ns = 400
    assert phc.cross_reading().bound_ns == 401.0  # and a ns of grain


@pytest.mark.parametrize("busy", [1, 2, 3])
def test_busy_is_retried(phc: LinuxPhc, kernel: FakeKernel, busy: int) -> None:
    for operation in (phc.now_sns, phc.cross_reading, lambda: phc.step(5), lambda: phc.set_frequency(3.0)):
        kernel.busy = busy
        operation()
        assert kernel.busy == 0
    assert phc.capabilities.cross_method == "precise"


def test_busy_for_ever(phc: LinuxPhc, kernel: FakeKernel) -> None:
    kernel.errors = {"adjtime": errno.EBUSY}
    before = kernel.calls["adjtime"]
    with pytest.raises(ClockError, match="n_vclocks"):
        phc.step(NS)
    assert kernel.calls["adjtime"] - before == 4


@pytest.mark.parametrize("number", [errno.ENODEV, errno.EIO, errno.EACCES, errno.ERANGE, errno.EOPNOTSUPP])
def test_errors_say_which_clock_what_why_and_what_to_do(phc: LinuxPhc, kernel: FakeKernel, number: int) -> None:
    took = phc.set_frequency(1234.0)
    kernel.errors = dict.fromkeys(("adjtime", "gettime", GETCAPS, PRECISE, EXTENDED, OFFSET), number)
    for operation, words in (
        (lambda: phc.set_frequency(5.0), "set the frequency to +5.000 ppb"),
        (lambda: phc.step(5 * NS), "step by +5.0 ns"),
        (phc.frequency_ppb, "read the frequency"),
        (phc.now_sns, "read"),
        (phc.cross_reading, "system clock"),
    ):
        with pytest.raises(ClockError) as caught:
            operation()
        text = str(caught.value)
        assert caught.value.errno == number
        for part in ("/dev/ptp0", words, os.strerror(number), errno.errorcode[number]):
            assert part in text
        assert len(text.split("; ", 1)[1]) > 10
    kernel.errors = {}
    assert phc.frequency_ppb() == took, "a failed call keeps the old frequency"


def test_open_refused() -> None:
    kernel = FakeKernel()
    kernel.errors = {"open": errno.EACCES}
    with pytest.raises(ClockError, match=r"/dev/ptp3: open for steering.*udev") as caught:
        LinuxPhc("/dev/ptp3", kernel=kernel)
    assert caught.value.errno == errno.EACCES


@pytest.mark.parametrize("request_number", [GETCAPS])
def test_what_is_no_ptp_clock_is_closed_again(request_number: int) -> None:
    kernel = FakeKernel()
    kernel.errors = {request_number: errno.ENOTTY}
    with pytest.raises(ClockError, match="no PTP clock device"):
        LinuxPhc("/dev/tty", kernel=kernel)
    assert not kernel.is_open


def test_reading_only() -> None:
    kernel = FakeKernel()
    phc = LinuxPhc(kernel=kernel, writable=False)
    assert not kernel.writable
    assert phc.now_sns() > 0
    assert phc.cross_reading().method == "precise"
    for operation in (lambda: phc.step(NS), lambda: phc.set_frequency(1.0)):
        with pytest.raises(ClockError, match="writable=True"):
            operation()
    assert kernel.calls["adjtime"] == 0


def test_a_guest_clock_that_cannot_be_steered() -> None:
    phc = LinuxPhc(kernel=FakeKernel(max_adj=0))
    assert not phc.capabilities.can_adjust
    with pytest.raises(ClockError, match="no adjustment"):
        phc.set_frequency(1.0)


def test_closing_closes_the_device(phc: LinuxPhc, kernel: FakeKernel) -> None:
    assert phc.fileno() == 7
    phc.close()
    assert not kernel.is_open
    for operation in (lambda: phc.step(NS), phc.fileno, phc.read_external_timestamps):
        with pytest.raises(ClockError, match="closed"):
            operation()


def test_a_clock_is_opened_again(phc: LinuxPhc, kernel: FakeKernel) -> None:
    """After it was gone, perhaps under another number: nothing is known of it."""
    phc.set_frequency(55.0)
    kernel.errors = {PRECISE: errno.EOPNOTSUPP}
    assert phc.cross_reading().method == "extended"
    kernel.errors = {"open": errno.ENOENT}
    with pytest.raises(ClockError) as caught:
        phc.reopen()
    assert not caught.value.gone, "not there yet is not the same as gone while open"
    kernel.errors, kernel.phc_freq = {}, 0
    phc.reopen("/dev/ptp5")
    assert (phc.name, phc.path, phc.cross_reading().method) == ("/dev/ptp5", "/dev/ptp5", "precise")
    assert phc.foreign_frequency() is None
    named = LinuxPhc("/dev/ptp0", name="nic", kernel=FakeKernel())
    named.reopen("/dev/ptp1")
    assert named.name == "nic"


def test_a_foreign_frequency(phc: LinuxPhc, kernel: FakeKernel) -> None:
    kernel.phc_freq = 65_536
    assert phc.foreign_frequency() is None, "nothing set here yet"
    phc.set_frequency(-5.0)
    assert phc.foreign_frequency() is None
    kernel.phc_freq = 65_536
    assert phc.foreign_frequency() == 1000.0
