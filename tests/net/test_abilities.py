"""The choice of stamps and the switching of the NIC, against a driver that answers as drivers do."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from dataclasses import replace

import pytest

from ptpstack.net import abilities, device
from ptpstack.net.abilities import Abilities, HardwareConfig
from ptpstack.net.channel import ChannelError

FULL = Abilities(so_timestamping=0x5F, phc_index=3, tx_types=0b11, rx_filters=1 << 12 | 1 << 6 | 1 << 9 | 1 << 1 | 1)


class Driver:
    """A NIC behind ioctl(). ``refuse``: errno of SIOCSHWTSTAMP; ``widen``: the filter it sets instead."""

    def __init__(self, able: Abilities, config: HardwareConfig | None, *, refuse: int = 0, widen: int | None = None):
        self.able, self.config, self.refuse, self.widen = able, config, refuse, widen
        self.sets: list[HardwareConfig] = []

    def __call__(self, request: int, buffer: bytearray) -> None:
        address = struct.unpack_from("Q", buffer, 16)[0]
        if request == device.SIOCETHTOOL:
            a = self.able
            assert struct.unpack("=I", ctypes.string_at(address, 4)) == (abilities.ETHTOOL_GET_TS_INFO,)
            answer = struct.pack("=IIiI12xI12x", 0x41, a.so_timestamping, a.phc_index, a.tx_types, a.rx_filters)
        elif request == abilities.SIOCGHWTSTAMP:
            if self.config is None:
                raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
            answer = struct.pack("=iii", 0, self.config.tx_type, self.config.rx_filter)
        else:
            assert request == abilities.SIOCSHWTSTAMP
            if self.refuse:
                raise OSError(self.refuse, os.strerror(self.refuse))
            _, tx_type, rx_filter = struct.unpack("=iii", ctypes.string_at(address, 12))
            self.sets.append(HardwareConfig(tx_type, rx_filter))
            self.config = HardwareConfig(tx_type, rx_filter if self.widen is None else self.widen)
            answer = struct.pack("=iii", 0, tx_type, self.config.rx_filter)
        ctypes.memmove(address, answer, len(answer))


def test_a_complete_nic_is_switched_on_with_the_common_filter() -> None:
    nic = Driver(FULL, HardwareConfig(0, 0))
    choice = abilities.prepare("eth9", "udp4", ioctl=nic)
    assert (choice.stamping, choice.phc_index) == ("hardware", 3)
    assert "PHC 3" in choice.reason
    assert nic.sets == [HardwareConfig(1, 12)]


@pytest.mark.parametrize(
    ("transport", "filters", "wanted"),
    [("udp4", 1 << 6 | 1 << 1, 6), ("l2", 1 << 9 | 1 << 1, 9), ("udp4", 1 << 9 | 1 << 1, 1), ("l2", 1 << 1, 1)],
)
def test_the_order_of_filters(transport: str, filters: int, wanted: int) -> None:
    nic = Driver(Abilities(0x45, 0, 2, filters), HardwareConfig(0, 0))
    assert abilities.prepare("eth9", transport, ioctl=nic).stamping == "hardware"
    assert nic.sets == [HardwareConfig(1, wanted)]


@pytest.mark.parametrize("present", [12, 6, 1])
def test_a_nic_that_is_set_already_is_left_alone(present: int) -> None:
    nic = Driver(FULL, HardwareConfig(1, present), refuse=errno.EPERM)
    assert abilities.prepare("eth9", "udp4", ioctl=nic).stamping == "hardware"
    assert nic.sets == []


@pytest.mark.parametrize("present", [HardwareConfig(1, 9), HardwareConfig(0, 12), HardwareConfig(2, 12)])
def test_a_nic_that_is_set_otherwise_is_set(present: HardwareConfig) -> None:
    nic = Driver(FULL, present)
    assert abilities.prepare("eth9", "udp4", ioctl=nic).stamping == "hardware"
    assert nic.config == HardwareConfig(1, 12)


@pytest.mark.parametrize("widened", [1, 2])
def test_a_widened_filter_is_fine(widened: int) -> None:
    nic = Driver(FULL, HardwareConfig(0, 0), widen=widened)
    choice = abilities.prepare("eth9", "l2", "hardware", ioctl=nic)
    assert (choice.stamping, choice.rx_filter) == ("hardware", widened)
    assert f"what it is set to, {abilities.FILTER_NAMES[widened]}, covers that" in choice.reason


def test_a_driver_that_sets_less_than_it_was_asked() -> None:
    nic = Driver(FULL, HardwareConfig(0, 0), widen=7)
    choice = abilities.prepare("eth9", "udp4", ioctl=nic)
    assert choice.stamping == "software"
    assert "ptpv2-l4-sync" in choice.reason
    with pytest.raises(ChannelError, match=r"eth9: no hardware stamps.*ptpv2-l4-sync"):
        abilities.prepare("eth9", "udp4", "hardware", ioctl=Driver(FULL, HardwareConfig(0, 0), widen=7))


def test_a_refusal_means_software_and_says_why() -> None:
    choice = abilities.prepare("eth9", "udp4", ioctl=Driver(FULL, None, refuse=errno.EPERM))
    assert choice.stamping == "software"
    assert choice.phc_index is None
    assert "CAP_NET_ADMIN" in choice.reason
    with pytest.raises(ChannelError, match=r"eth9.*CAP_NET_ADMIN") as caught:
        abilities.prepare("eth9", "udp4", "hardware", ioctl=Driver(FULL, None, refuse=errno.EPERM))
    assert caught.value.errno == errno.EPERM


@pytest.mark.parametrize(
    ("able", "word"),
    [
        (Abilities(0x1A, -1, 0, 0), "no hardware time stamping"),
        (Abilities(0x5F, -1, 3, 1 << 12), "no PTP hardware clock"),
        (Abilities(0x5E, 0, 3, 1 << 12), "transmit"),
        (Abilities(0x1F, 0, 3, 1 << 12), "raw reporting"),
        (Abilities(0x5F, 0, 1, 1 << 12), "transmit type ON"),
        (Abilities(0x5F, 0, 3, 1 << 9 | 1 << 7), "ptpv2-l4-sync, ptpv2-l2-event"),
    ],
)
def test_each_lack_is_named(able: Abilities, word: str) -> None:
    choice = abilities.choose(able, "udp4")
    assert choice.stamping == "software"
    assert word in choice.reason
    with pytest.raises(ValueError, match=word):
        abilities.choose(able, "udp4", "hardware")


def test_software_by_wish_touches_no_nic() -> None:
    nic = Driver(FULL, HardwareConfig(0, 0))
    choice = abilities.prepare("eth9", "l2", "software", ioctl=nic)
    assert (choice.stamping, choice.phc_index) == ("software", None)
    assert nic.sets == []


def test_no_stamps_at_all_is_an_error() -> None:
    with pytest.raises(ChannelError, match=r"eth9: no hardware stamps: .*software stamps both ways"):
        abilities.prepare("eth9", "udp4", ioctl=Driver(Abilities(0x18, -1, 0, 0), None))


def test_real_loopback_answers_as_the_kernel_says() -> None:
    able = abilities.query("lo")
    assert able.software
    assert not able.hardware
    assert abilities.current("lo") is None
    assert abilities.query("nix0") == Abilities()


# ------------------------------------------------------------------------------------------------------- one-step

ONE_STEP = replace(FULL, tx_types=0b1111)


@pytest.mark.parametrize(("types", "wanted", "able"), [(0b1111, 3, "p2p"), (0b0111, 2, "sync"), (0b1001, 3, "p2p")])
def test_one_step_takes_the_most_that_the_nic_has(types: int, wanted: int, able: str) -> None:
    for wish in ("yes", "auto"):
        nic = Driver(replace(FULL, tx_types=types), HardwareConfig(1, 12))
        choice = abilities.prepare("eth9", "udp4", ioctl=nic, one_step=wish)
        assert nic.sets == [HardwareConfig(wanted, 12)]
        assert (choice.stamping, choice.one_step) == ("hardware", able)
        assert "one-step: it puts the time into Sync" in choice.reason
        assert ("Pdelay_Resp" in choice.reason) is (able == "p2p")


def test_one_step_is_not_taken_unasked_and_not_left_on() -> None:
    nic = Driver(ONE_STEP, HardwareConfig(3, 12))
    assert abilities.prepare("eth9", "udp4", ioctl=nic).one_step == ""
    assert nic.sets == [HardwareConfig(1, 12)]


@pytest.mark.parametrize(
    ("able", "word"),
    [
        (FULL, "the NIC's transmit types are off, on"),
        (Abilities(0x1A, -1, 0, 0), "no hardware time stamping"),
        (Abilities(0x5F, -1, 0b1111, 1 << 12), "no PTP hardware clock"),
    ],
)
def test_one_step_is_refused_where_the_nic_cannot(able: Abilities, word: str) -> None:
    with pytest.raises(ChannelError, match="eth9: no one-step transmission: only a NIC can") as caught:
        abilities.prepare("eth9", "l2", ioctl=Driver(able, HardwareConfig(0, 0)), one_step="yes")
    assert word in str(caught.value)
    assert "one_step = auto or no" in str(caught.value)
    choice = abilities.prepare("eth9", "l2", ioctl=Driver(able, HardwareConfig(0, 0)), one_step="auto")
    assert choice.one_step == ""
    assert word in choice.reason
    assert "; two-step, " in choice.reason


def test_one_step_with_the_kernels_stamps_is_refused() -> None:
    with pytest.raises(ChannelError, match="the stamps are to be the kernel's"):
        abilities.prepare("eth9", "udp4", "software", ioctl=Driver(ONE_STEP, None), one_step="yes")
    assert abilities.choose(ONE_STEP, "udp4", "software", "auto").stamping == "software"


def test_a_driver_that_promises_one_step_and_refuses_it() -> None:
    class Narrow(Driver):
        def __call__(self, request: int, buffer: bytearray) -> None:
            if request == abilities.SIOCSHWTSTAMP:
                address = struct.unpack_from("Q", buffer, 16)[0]
                if struct.unpack("=iii", ctypes.string_at(address, 12))[1] > 1:
                    raise OSError(errno.ERANGE, os.strerror(errno.ERANGE))
            super().__call__(request, buffer)

    with pytest.raises(ChannelError, match="eth9: no one-step transmission: setting the NIC's stamping failed"):
        abilities.prepare("eth9", "l2", ioctl=Narrow(ONE_STEP, None), one_step="yes")
    choice = abilities.prepare("eth9", "l2", ioctl=Narrow(ONE_STEP, HardwareConfig(0, 0)), one_step="auto")
    assert (choice.stamping, choice.one_step) == ("hardware", "")
    assert "two-step, because setting the NIC's stamping failed" in choice.reason
