"""The TLVs of the power profiles on Announce: what a grandmaster says, what a boundary clock adds."""

from __future__ import annotations

from typing import Any

import pytest

from ptpstack.protocol.options import PowerOptions
from ptpstack.protocol.power_profile import MOST
from ptpstack.wire.messages import Announce
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.announce import PathTrace
from ptpstack.wire.tlvs.profiles import PowerProfile2011, PowerProfile2017
from ptpstack.wire.types import ClockQuality
from tests.protocol.bench import Bench, Peer


def served(power: PowerOptions, quality: ClockQuality, tlvs: tuple[Tlv, ...] | None = None, **options: Any) -> Announce:
    """The newest Announce of the second port of a clock; ``tlvs``: those of a parent on its first port."""
    bench = Bench(2, power=power, quality=quality, **options)
    if tlvs is not None:
        bench.hear(Peer(1, priority1=1, tlvs=tlvs))
    bench.run(20)
    return bench.sent(Announce, 2)[-1]


@pytest.mark.parametrize(
    ("accuracy", "said"),
    [(0x20, 50), (0x21, 100), (0x23, 1000), (0xFE, MOST)],
    ids=["25 ns", "100 ns", "1 us", "unknown"],
)
def test_PRF_16_a_grandmaster_says_what_its_time_is_worth(accuracy: int, said: int) -> None:
    message = served(PowerOptions(2017, 7, 50), ClockQuality(6, accuracy, 0x4E5D))
    assert message.tlvs == (PowerProfile2017(7, total_time_inaccuracy_ns=said),)


def test_PRF_16_a_boundary_clock_adds_its_own_part() -> None:
    parents = PowerProfile2017(7, total_time_inaccuracy_ns=300)
    message = served(PowerOptions(2017, 9, 200), ClockQuality(248, 0xFE, 0xFFFF), (parents,))
    assert message.tlvs == (PowerProfile2017(7, total_time_inaccuracy_ns=500),)
    most = PowerProfile2017(7, total_time_inaccuracy_ns=MOST - 1)
    message = served(PowerOptions(2017, 9, 200), ClockQuality(248, 0xFE, 0xFFFF), (most,))
    assert message.tlvs == (PowerProfile2017(7, total_time_inaccuracy_ns=MOST),)


def test_a_parent_without_the_tlv_is_followed_and_nothing_is_made_up() -> None:
    other_edition = PowerProfile2011(7, 1, 2)
    for tlvs in ((), (other_edition,)):
        message = served(PowerOptions(2017, 9, 200), ClockQuality(248, 0xFE, 0xFFFF), tlvs)
        assert message.steps_removed == 1
        assert message.tlvs == ()


def test_PRF_17_the_tlv_of_2011_stands_first_and_keeps_its_two_parts_apart() -> None:
    power = PowerOptions(2011, 42, 50, 10)
    message = served(power, ClockQuality(6, 0x21, 0x4E5D), path_trace=True)
    first, second = message.tlvs
    assert first == PowerProfile2011(42, 100, 10)
    assert isinstance(second, PathTrace)
    parents = (PowerProfile2011(42, 100, 10),)
    message = served(PowerOptions(2011, 9, 200), ClockQuality(248, 0xFE, 0xFFFF), parents)
    assert message.tlvs == (PowerProfile2011(42, 100, 210),)


def test_who_loses_its_parent_speaks_for_itself_again() -> None:
    bench = Bench(2, power=PowerOptions(2017, 9, 200), quality=ClockQuality(248, 0xFE, 0xFFFF))
    peer = Peer(1, priority1=1, tlvs=(PowerProfile2017(7, total_time_inaccuracy_ns=300),))
    bench.hear(peer)
    bench.run(20)
    bench.silence(peer)
    bench.run(20)
    assert bench.sent(Announce, 2)[-1].tlvs == (PowerProfile2017(9, total_time_inaccuracy_ns=MOST),)
