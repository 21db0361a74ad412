"""One-step transmission is a setting of a whole device: what shares one cannot differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from ptpstack.net.inside import InsideChannel
from ptpstack.node.assembly import _check_transmission
from ptpstack.node.errors import AssemblyError


@dataclass
class Opened:
    name: str
    stack: tuple[str, ...]
    one_step: str = ""
    stamping: str = "hardware"
    phc_index: int = 0
    mac: bytes = bytes(6)


def check(*channels: Any) -> None:
    _check_transmission({channel.name: channel for channel in channels})


def test_a_vlan_and_its_parent_agree() -> None:
    check(Opened("eth1/l2", ("eth1",), "sync"), Opened("eth1.5/l2", ("eth1.5", "eth1"), "sync"))
    check(Opened("eth1/l2", ("eth1",), "sync"), Opened("eth2/l2", ("eth2",)))
    check(Opened("eth1/l2", ("eth1",), "sync"), Opened("eth1.5/l2", ("eth1.5", "eth1"), stamping="software"))
    with pytest.raises(AssemblyError, match=r"eth1/l2 and eth1\.5/l2 both send by eth1.*same one_step"):
        check(Opened("eth1/l2", ("eth1",), "sync"), Opened("eth1.5/l2", ("eth1.5", "eth1")))


def test_an_instance_inside_a_transparent_clock_has_no_device_of_its_own() -> None:
    port: Any = Opened("eth1/bridge", ("eth1",))
    check(port, InsideChannel("tc", "udp4", port))
