"""SystemClock over a fake kernel; nothing here touches the host's clock."""

import struct

import pytest

from ptpstack.clocks.system import SystemClock
from ptpstack.timebase.leap import LeapTable
from ptpstack.timebase.leapfile import LeapEntry

from .fakes import TIMEX, FakeKernel

NS = 1 << 16
S = 10**9
BUILT_IN = LeapTable.built_in()
NEW_YEAR_2017 = 1_483_228_800


@pytest.fixture
def kernel() -> FakeKernel:
    return FakeKernel()


@pytest.fixture
def clock(kernel: FakeKernel) -> SystemClock:
    return SystemClock(BUILT_IN, read_only=False, kernel=kernel, user_hz=100)


def offset_s(clock: SystemClock) -> int:
    reading = clock.cross_reading()
    return ((reading.clock_sns >> 16) - reading.realtime_ns) // S


@pytest.mark.parametrize("kernel_tai", [0, 10, 36, 37, 38, 99])
def test_the_kernels_tai_offset_is_believed_only_when_the_table_agrees(
    clock: SystemClock, kernel: FakeKernel, kernel_tai: int
) -> None:
    kernel.tai = kernel_tai
    assert offset_s(clock) == 37
    assert clock.status().tai_trusted == (kernel_tai == 37)
    assert clock.status().tai_offset_s == kernel_tai


def test_after_the_expiry_of_the_table_the_kernel_may_know_one_more(clock: SystemClock, kernel: FakeKernel) -> None:
    kernel.true_ns = (BUILT_IN.expires_s + 86_400) * S
    for kernel_tai, used in ((38, 38), (36, 36), (37, 37), (39, 37), (0, 37)):
        kernel.tai = kernel_tai
        assert offset_s(clock) == used


def test_a_fixed_offset(kernel: FakeKernel) -> None:
    kernel.tai = 0
    assert offset_s(SystemClock(35, kernel=kernel, user_hz=100)) == 35


def test_ptp_time_is_continuous_while_linux_repeats_a_second(clock: SystemClock, kernel: FakeKernel) -> None:
    kernel.read_ns = 0
    kernel.true_ns, kernel.tai = NEW_YEAR_2017 * S - S // 2, 36
    first = clock.now_sns()
    stamp_before = kernel.true_ns + S * 4 // 10  # 0.1 s before midnight, first pass
    kernel.true_ns += S  # would be 0.5 s past midnight, but the kernel goes back by one second
    kernel.realtime_offset_ns, kernel.tai = -S, 37
    assert clock.now_sns() - first == S * NS
    assert clock.stamp_sns(stamp_before) - first == S * 4 // 10 * NS
    assert clock.stamp_sns(kernel.realtime_ns()) - first == S * NS
    kernel.true_ns += S
    assert clock.now_sns() - first == 2 * S * NS


def test_frequency_within_500_ppm_uses_no_tick(clock: SystemClock, kernel: FakeKernel) -> None:
    assert clock.set_frequency(-500_000.0) == -500_000.0
    timex = struct.unpack(TIMEX, kernel.octets[-1])
    assert (timex[0], timex[2], timex[11]) == (0x4002, -32_768_000, 10_000)


@pytest.mark.parametrize("ppb", [500_001.0, 749_999.0, -3_333_333.0, 99_999_999.0])
def test_frequency_beyond_500_ppm_uses_the_tick(clock: SystemClock, kernel: FakeKernel, ppb: float) -> None:
    took = clock.set_frequency(ppb)
    assert took == pytest.approx(ppb, abs=0.01)
    assert clock.frequency_ppb() == took
    assert kernel.timex["tick"] != 10_000
    assert abs(kernel.timex["freq"]) <= 32_768_000
    clock.set_frequency(0.0)
    assert (kernel.timex["tick"], kernel.timex["freq"]) == (10_000, 0)


@pytest.mark.parametrize(("user_hz", "tick"), [(100, 10_010), (1000, 1001)])
def test_tick_depends_on_user_hz(user_hz: int, tick: int) -> None:
    kernel = FakeKernel()
    kernel.nominal_tick = kernel.timex["tick"] = 1_000_000 // user_hz
    clock = SystemClock(BUILT_IN, read_only=False, kernel=kernel, user_hz=user_hz)
    assert clock.frequency_ppb() == 0.0
    assert clock.set_frequency(1_000_000.0) == 1_000_000.0
    assert kernel.timex["tick"] == tick


def test_a_step_loses_synchronisation_until_declared_again(clock: SystemClock, kernel: FakeKernel) -> None:
    clock.declare_synchronised(1_500.0, 300.0, leap61=True)
    status = clock.status()
    assert (status.synchronised, status.max_error_ns, status.estimated_error_ns) == (True, 2000, 1000)
    assert (status.leap_pending, status.pll) == (1, False)
    clock.step(-3 * S * NS // 10)
    timex = struct.unpack(TIMEX, kernel.octets[-1])
    assert (timex[0], timex[9], timex[10]) == (0x2100, -1, 700_000_000)
    status = clock.status()
    assert (status.synchronised, status.leap_pending, status.max_error_ns) == (False, 0, 16 * S)
    clock.declare_synchronised(1_500.0, 300.0, leap59=True)
    assert clock.status().leap_pending == -1
    clock.declare_unsynchronised()
    assert not clock.status().synchronised
    with pytest.raises(ValueError, match="both"):
        clock.declare_synchronised(1.0, 1.0, leap59=True, leap61=True)


def test_setting_the_tai_offset(clock: SystemClock, kernel: FakeKernel) -> None:
    kernel.tai = 0
    clock.set_tai_offset(37)
    assert kernel.tai == 37
    timex = struct.unpack(TIMEX, kernel.octets[-1])
    assert (timex[0], timex[6]) == (0x80, 37)


def test_another_daemon_is_noticed(clock: SystemClock, kernel: FakeKernel) -> None:
    assert clock.foreign_change() == ""
    clock.set_frequency(1000.0)
    assert clock.foreign_change() == ""
    kernel.timex["freq"] += 65_536
    assert "chronyd" in clock.foreign_change()
    assert "+2000.000 ppb" in clock.status().foreign
    assert clock.foreign_frequency() == 2000.0
    clock.set_frequency(1000.0)
    assert (clock.foreign_change(), clock.foreign_changes) == ("", 1)
    assert clock.foreign_frequency() is None
    kernel.timex["status"] |= 1
    assert clock.status().pll


def test_a_table_that_knows_a_future_event_is_followed(kernel: FakeKernel) -> None:
    start = 1_798_761_600  # 2027-01-01
    entries = (*BUILT_IN.entries, LeapEntry(start, 38))
    clock = SystemClock(LeapTable(entries, 0, start + 10**7, "test"), kernel=kernel, user_hz=100)
    kernel.read_ns = 0
    kernel.true_ns = (start - 10) * S
    assert offset_s(clock) == 37
    kernel.true_ns = (start + 10) * S
    assert offset_s(clock) == 38  # the kernel still says 37


def test_stamps_near_each_other_share_one_look_at_the_offset(clock: SystemClock, kernel: FakeKernel) -> None:
    base_ns = kernel.true_ns
    first = clock.stamp_sns(base_ns)
    calls = kernel.calls["gettime"]
    assert calls > 0
    for later_ns in (-50_000_000, -1, 0, 1, 50_000_000):
        assert clock.stamp_sns(base_ns + later_ns) == first + later_ns * NS
    assert kernel.calls["gettime"] == calls
    kernel.true_ns += S
    clock.stamp_sns(base_ns + S)
    assert kernel.calls["gettime"] > calls


@pytest.mark.parametrize("around", [NEW_YEAR_2017, NEW_YEAR_2017 - 86_400 * 31])
def test_remembering_the_offset_never_changes_a_stamp(kernel: FakeKernel, around: int) -> None:
    """Through midnight with a leap second and without: one clock for all stamps against a new one for each."""
    kernel.read_ns = 0
    kernel.tai = 36
    kept = SystemClock(BUILT_IN, kernel=kernel, user_hz=100)
    for step in range(-900, 900):
        kernel.true_ns = around * S + step * 20_000_000
        if around == NEW_YEAR_2017 and step == 0:
            kernel.tai, kernel.realtime_offset_ns = 37, kernel.realtime_offset_ns - S  # the second is repeated
        stamp_ns = kernel.realtime_ns() - 5_000_000
        assert kept.stamp_sns(stamp_ns) == SystemClock(BUILT_IN, kernel=kernel, user_hz=100).stamp_sns(stamp_ns)
