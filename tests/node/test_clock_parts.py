"""Which clock stamps which port, before any device is opened."""

from __future__ import annotations

from typing import Any, cast

import pytest

from ptpstack.config.load import loads
from ptpstack.net.channel import Channel
from ptpstack.node.clock_parts import assign, open_clock
from ptpstack.node.errors import AssemblyError
from ptpstack.timebase.leap import LeapTable


class Stamps:
    """A channel as far as its stamps go: the PHC's number, None with software stamps."""

    def __init__(self, name: str, phc: int | None, stamping: str | None = None) -> None:
        self.name, self.phc_index = name, phc
        self.interface = name.partition("/")[0]
        self.stamping = stamping if stamping is not None else "software" if phc is None else "hardware"


def found(text: str, **phcs: int | None) -> tuple[list[str], dict[str, str | None]]:
    """(the clock of each port, the device of each clock) of a site on a machine with those interfaces."""
    channels = {f"{name}/udp4": cast(Channel, cast(Any, Stamps(f"{name}/udp4", phc))) for name, phc in phcs.items()}
    stamped = assign(loads(text), channels)
    return list(stamped.clock_of.values()), {name: clock.device for name, clock in stamped.options.items()}


def bc(*ports: str) -> str:
    return "[[instance]]\n" + "".join(f"[[instance.port]]\ninterface = {port}\n" for port in ports)


def test_ports_of_one_nic_have_one_clock() -> None:
    assert found(bc('"a"', '"b"'), a=0, b=0)[0] == ["clock", "clock"]


def test_ports_on_other_hardware_clocks_get_clocks_of_their_own() -> None:
    names, devices = found(bc('"a"', '"b"', '"c"', '"d"'), a=3, b=1, c=3, d=0)
    assert names == ["clock", "ptp1", "clock", "ptp0"]
    assert devices["ptp1"] == "/dev/ptp1"


def test_a_declared_clock_is_used_when_it_is_that_device() -> None:
    text = '[[clock]]\nname = "one"\ntype = "phc"\ndevice = "/dev/ptp1"\n[[clock]]\nname = "zero"\ntype = "phc"\n'
    names, devices = found(text + '[[instance]]\nclock = "zero"\n' + bc('"a"', '"b"').partition("\n")[2], a=0, b=1)
    assert names == ["zero", "one"]
    assert set(devices) == {"zero", "one"}


def test_a_port_that_names_its_clock_has_it() -> None:
    text = '[[clock]]\nname = "x"\ntype = "phc"\n[[clock]]\nname = "y"\ntype = "phc"\n'
    names, _ = found(text + bc('"a"\nclock = "x"', '"b"\nclock = "y"'), a=4, b=5)
    assert names == ["x", "y"]


def test_names_that_are_taken_are_not_taken_twice() -> None:
    text = '[[clock]]\nname = "ptp1"\ntype = "phc"\n'
    assert found(text + bc('"a"', '"b"'), a=0, b=1)[0] == ["ptp1", "ptp1-2"]


def test_simulated_and_software_ports_stay_on_their_clock() -> None:
    text = '[[clock]]\nname = "s"\ntype = "simulated"\n'
    assert found(text + bc('"a"', '"b"'), a=None, b=None)[0] == ["s", "s"]
    assert found(bc('"a"', '"b"'), a=None, b=None)[0] == ["clock", "clock"]


def test_nothing_there_yet_tells_no_clock() -> None:
    options = loads(bc('"a"')).clocks[0]
    absent = cast(Channel, cast(Any, Stamps("a/udp4", None, "")))
    with pytest.raises(AssemblyError, match="none of a is there"):
        open_clock(options, [absent], LeapTable.built_in())
