"""ptp4l's configuration made harmless, and its log lines."""

from __future__ import annotations

from ptpstack.lab import ptp4l
from ptpstack.lab.ptp4l import MasterSelected, Measured, PortChanged
from ptpstack.lab.topology_file import parse_topology
from tests.lab.beds import bed, host

OWN = "025054.fffe.500100"


def test_enforced_whatever_is_written() -> None:
    text = ptp4l.enforce("slaveOnly 1\n[eth0]\n[global]\ndomainNumber 7\n[eth1]\nlogSyncInterval -3\n")
    assert ptp4l.refusals(text) == []
    settings = set(text.splitlines())
    assert {"free_running 1", "time_stamping software", "slaveOnly 1", "domainNumber 7", "[eth0]", "[eth1]"} <= settings
    assert ptp4l.domain_of(text) == 7
    assert ptp4l.domain_of(ptp4l.enforce("")) == 0
    assert text.index("free_running") < text.index("[eth0]"), "it must stand in [global]"


def test_a_comment_is_no_setting() -> None:
    assert ptp4l.refusals("# free_running 0\nfree_running 1 # yes\n") == []


def test_ports_named_in_the_configuration_are_not_named_again() -> None:
    topology = parse_topology(bed(host("a"), '[[node]]\nhost = "a"\nkind = "ptp4l"\n'))
    assert ptp4l.command_line("c", ptp4l.enforce(""), topology.hosts[0])[-2:] == ["-i", "eth0"]
    assert "-i" not in ptp4l.command_line("c", ptp4l.enforce("[eth0]\n"), topology.hosts[0])


def test_sockets() -> None:
    text = ptp4l.with_sockets(ptp4l.enforce(""), "/run/s", read_only_socket=False)
    assert text.splitlines()[1] == "uds_address /run/s"
    assert "uds_ro_address" not in text
    assert "uds_ro_address /run/s.ro" in ptp4l.with_sockets(ptp4l.enforce(""), "/run/s", read_only_socket=True)


def test_lines() -> None:
    def read(line: str) -> object:
        return ptp4l.read_line(f"ptp4l[1457.218]: {line}", OWN)

    assert read("master offset       2793 s0 freq   -1360 path delay     17027") == Measured(2793, "s0", -1360, 17027)
    assert read("master offset -36999999999 s2 freq  +12 path delay -5") == Measured(-36999999999, "s2", 12, -5)
    assert read("port 1: LISTENING to UNCALIBRATED on RS_SLAVE") == PortChanged(1, "UNCALIBRATED")
    assert read("port 2 (eth1): INITIALIZING to LISTENING on INIT_COMPLETE") == PortChanged(2, "LISTENING")
    assert read("port 0: INITIALIZING to LISTENING on INIT_COMPLETE") is None
    assert read("selected best master clock 001b21.fffe.aabbcc") == MasterSelected("001b21.fffe.aabbcc")
    assert read("port 1: assuming the grand master role") == MasterSelected(OWN)
    assert read("selected local clock 025054.fffe.500100 as best master") == MasterSelected(OWN)
    assert read("port 1: new foreign master 025054.fffe.500100-1") is None
