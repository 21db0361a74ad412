"""Judgement from facts alone: what no laboratory here has (EEE, bonds, wrong leap flags, poor clock sources ...)."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ptpstack.clocks.survey import ClockReport
from ptpstack.clocks.system import SystemStatus
from ptpstack.doctor.findings import ERROR, NOTE, OK, WARNING, Finding
from ptpstack.doctor.machine.proc import Process, UdpSocket
from ptpstack.doctor.machine.programs import SYSTEM, Program, programs
from ptpstack.doctor.probes import (
    bridges,
    clocks,
    daemons,
    layers,
    leap,
    links,
    multicast,
    nodes,
    platform,
    ports,
    rights,
    stamping,
)
from ptpstack.doctor.traffic import stamps
from ptpstack.doctor.traffic.census import Census, Place, Speaker
from ptpstack.net.abilities import Abilities, HardwareConfig
from ptpstack.net.layers import Layer
from ptpstack.timebase.leap import LeapTable
from ptpstack.wire.types import PortIdentity

NS = 1_000_000_000
NOW_S = 1_795_000_000
UP = 0x1 | 0x40 | 0x1000


def ids(findings: list[Finding]) -> set[str]:
    return {finding.id for finding in findings}


def bad(findings: list[Finding]) -> list[str]:
    return [finding.id for finding in findings if finding.severity in (WARNING, ERROR)]


def test_links() -> None:
    assert ids(links.judge(links.Link("eth0", UP, 1000))) == {"link-fine"}
    assert ids(links.judge(links.Link("eth0", UP, 1000, eee=True))) == {"energy-efficient-ethernet"}
    assert ids(links.judge(links.Link("eth0", UP, 100, half=True))) == {"half-duplex"}
    assert [f.severity for f in links.judge(links.Link("eth0", 0x1000, asked=False))] == [NOTE]


def test_layers() -> None:
    vlan = Layer("eth0.5", "vlan", 3, 5, {6: 6})
    nic = Layer("eth0", "", 0, None, {})
    found = layers.judge(layers.Stack((vlan, nic)))
    assert ids(found) == {"vlan"}
    assert "6:6" in found[0].evidence
    bond = Layer("bond0", "bond", 3, None, {})
    assert ids(layers.judge(layers.Stack((bond, nic), (("eth0", 0), ("eth1", 0))))) == {"bond"}
    assert ids(layers.judge(layers.Stack((bond, nic), (("eth0", 0), ("eth1", 1))))) == {"bond", "bond-different-clocks"}
    assert ids(layers.judge(layers.Stack((replace_kind(bond, lower=0),)))) == {"bond-without-member"}
    assert ids(layers.judge(layers.Stack((Layer("bond0", "spreading bond", 0, None, {}),)))) == {"bond-spreads"}
    assert layers.judge(layers.Stack((nic,))) == []


def replace_kind(layer: Layer, lower: int) -> Layer:
    return layer._replace(lower=lower)


def test_bridges() -> None:
    bridge = bridges.Bridge("br0", "br0", "", snooping=True, querier=False)
    assert ids(bridges.judge(bridge)) == {"snooping-without-querier"}
    assert ids(bridges.judge(replace(bridge, querier=True))) == {"querier-present"}
    assert ids(bridges.judge(replace(bridge, other_querier=True))) == {"querier-present"}
    assert bridges.judge(replace(bridge, snooping=False)) == []
    port = bridges.Bridge("swp1", "br0", "forwarding", snooping=False, querier=False)
    assert ids(bridges.judge(port)) == {"bridge-port"}
    assert ids(bridges.judge(replace(port, transports=("udp4",)))) == {"udp-on-bridge-port"}
    assert "bridge-port-blocked" in ids(bridges.judge(replace(port, port="blocking")))
    assert bridges.judge(None) == []


def test_machines() -> None:
    fine = platform.Machine(clock_source="tsc", governors=("performance",), load=0.5, cpus=4)
    assert ids(platform.judge(fine)) == {"machine-fine"}
    assert bad(platform.judge(replace(fine, hypervisor="KVM", container="Docker", throttled=3, load=9.0))) == []
    for change, id_ in (
        ({"clock_source": "acpi_pm"}, "poor-clock-source"),
        ({"governors": ("powersave",)}, "cpu-frequency"),
        ({"hypervisor": "VMware"}, "virtual-machine"),
        ({"container": "Podman"}, "container"),
        ({"throttled": 7}, "cpu-quota"),
        ({"load": 9.0}, "loaded-machine"),
        ({"worst_wake_up_ms": 44.0}, "late-wake-ups"),
        ({"wanted_priority": 50, "allowed_priority": 0}, "no-real-time-priority"),
    ):
        assert ids(platform.judge(replace(fine, **change))) == {id_}  # type: ignore[arg-type]


def test_rights() -> None:
    everything = (1 << 41) - 1
    assert ids(rights.judge(rights.Rights(everything))) == {"rights-fine"}
    lacking = rights.judge(rights.Rights(everything & ~(1 << 10), clocks=(("/dev/ptp0", False),)))
    assert ids(lacking) == {"missing-capability", "clock-device-access"}
    assert ids(rights.judge(rights.Rights(everything & ~(1 << 10), first_port=0))) == {"rights-fine"}


def test_ports() -> None:
    ours = UdpSocket("0.0.0.0", 319, 1, ((7, "ptp4l"),))
    assert ids(ports.judge([])) == {"ports-free"}
    assert ids(ports.judge([ports.Taken(ours, True)])) == {"port-shared"}
    assert ids(ports.judge([ports.Taken(ours, False)])) == {"port-taken"}
    other = UdpSocket("0.0.0.0", 320, 2, ((9, "dnsmasq"),))
    assert ids(ports.judge([ports.Taken(other, True)])) == {"port-stranger"}
    assert "cannot be seen" in ports.judge([ports.Taken(UdpSocket("::", 320, 3), None)])[0].evidence


def test_leap_tables() -> None:
    table = LeapTable.built_in()
    assert ids(leap.judge(leap.Leap(table, NOW_S))) == {"leap-table-fine"}
    assert ids(leap.judge(leap.Leap(table, table.expires_s + 1))) == {"leap-table-expired"}
    assert ids(leap.judge(leap.Leap(table, table.expires_s - 86_400))) == {"leap-table-expiring"}
    assert ids(leap.judge(leap.Leap(None, NOW_S, "f:3: bad"))) == {"leap-file-unusable"}
    others = leap.judge(leap.Leap(table, NOW_S, others=(("/usr/share/x", NOW_S - 1), ("/etc/y", NOW_S + 1))))
    assert ids(others) == {"leap-table-fine", "leap-file-of-others-expired"}
    assert bad(others) == []


STATUS = SystemStatus(True, 1000, 1000, 37, True, 12.0, 0, False, False, "")
KEPT = clocks.Clocks(STATUS, NOW_S * NS, 37)


@pytest.mark.parametrize(
    ("change", "id_"),
    [
        ({}, "system-clock-fine"),
        ({"synchronised": False}, "system-clock-unsynchronised"),
        ({"frequency_ppb": -500_000.0}, "system-clock-at-limit"),
        ({"tai_offset_s": 0, "tai_trusted": False}, "tai-offset-unset"),
        ({"tai_offset_s": 36, "tai_trusted": False}, "tai-offset-wrong"),
        ({"leap_pending": 1}, "leap-second-armed-wrongly"),
    ],
)
def test_the_system_clock(change: dict[str, object], id_: str) -> None:
    status = replace(STATUS, **change)  # type: ignore[arg-type]
    assert id_ in ids(clocks.judge(replace(KEPT, status=status)))


def test_dates_and_hardware_clocks() -> None:
    assert "system-clock-implausible" in ids(clocks.judge(replace(KEPT, now_ns=86_400 * NS)))
    assert "leap-second-armed" in ids(clocks.judge(replace(KEPT, status=replace(STATUS, leap_pending=1), leap_today=1)))

    def phc(time_ns: int, offset_ns: float) -> ClockReport:
        return ClockReport(
            *("/dev/ptp0", "phc", "igb", (), time_ns << 16, offset_ns, 1.0, "extended", 0.0, None),
            *(True, "", (), None, ()),
        )

    on_tai = clocks.judge(replace(KEPT, reports=(phc((NOW_S + 37) * NS, 100.0),)))
    assert ids(on_tai) == {"system-clock-fine"}
    assert "hardware-clock-on-utc" in ids(clocks.judge(replace(KEPT, reports=(phc(NOW_S * NS, -37e9 + 500),))))
    assert "hardware-clock-unset" in ids(clocks.judge(replace(KEPT, reports=(phc(90 * NS, -1.7e18),))))


def test_routes() -> None:
    fine = multicast.Multicast("eth0", ("10.0.0.1",), 1, (("10.0.0.2", "eth0"),), transports=("udp4",))
    assert multicast.judge(fine) == []
    assert ids(multicast.judge(replace(fine, reached_by=(("192.0.2.1", ""),)))) == {"reverse-path-filter"}
    assert multicast.judge(replace(fine, reached_by=(("192.0.2.1", ""),), rp_filter=2)) == []
    assert ids(multicast.judge(replace(fine, addresses=()))) == {"no-ipv4-address"}
    assert ids(multicast.judge(replace(fine, max_groups=2))) == {"group-limit"}


def test_time_stamps() -> None:
    nic = Abilities(0x5F, 0, 3, 1 << 12)
    on = HardwareConfig(1, 12)
    came = stamping.Trial("hardware", 0.001, by="802.3")
    tried = stamping.Stamping("eth0", "eth0", nic, on, "", True, (came,))
    assert ids(stamping.judge(tried)) == {"stamps-come"}
    for trial, id_ in (
        (replace(came, waited_s=None), "stamp-missing"),
        (replace(came, waited_s=0.05), "stamp-slow"),
        (replace(came, failure="Network is down"), "send-failed"),
    ):
        assert ids(stamping.judge(replace(tried, trials=(trial,)))) == {id_}
    assert ids(stamping.judge(replace(tried, trials=()))) == {"hardware-stamps-not-tried"}
    assert ids(stamping.judge(replace(tried, trials=(), lack="no filter"))) == {"hardware-stamps-unusable"}
    veth = replace(
        tried, able=Abilities(0x1A), setting=None, lack="no hardware", trials=(replace(came, way="software"),)
    )
    assert ids(stamping.judge(veth)) == {"stamps-come", "software-stamps-only"}
    assert ids(stamping.judge(replace(veth, able=Abilities(0x18)))) == {"no-stamping"}


def test_receive_stamps() -> None:
    speaker = Speaker(Place("eth0", (), "UDPv4", 0, 0), PortIdentity(bytes(8), 1), 0, stamped=5)
    census = Census()
    census.speakers[speaker.place, speaker.identity] = speaker
    assert ids(stamps.judge(census, frozenset({"eth0"}))) == {"receive-stamps-missing"}
    assert stamps.judge(census, frozenset()) == []
    speaker.hardware_stamped = 5
    assert ids(stamps.judge(census, frozenset({"eth0"}))) == {"receive-stamps-come"}


# ------------------------------------------------------------------------------------------------------- programs

ALL = (1 << 41) - 1


def process(pid: int, *argv: str, **more: object) -> Process:
    return Process(pid, 1, argv[0].rpartition("/")[2][:15], argv, capabilities=ALL, **more)  # type: ignore[arg-type]


def phc_of(interface: str) -> str:
    return {"eth0": "/dev/ptp0", "eth1": "/dev/ptp1"}.get(interface, "")


@pytest.mark.parametrize(
    ("argv", "steers"),
    [
        (["/usr/sbin/chronyd", "-F", "1"], (SYSTEM,)),
        (["/usr/sbin/chronyd", "-x", "-F", "1"], ()),
        (["/usr/sbin/chronyd", "-dx"], ()),
        (["/lib/systemd/systemd-timesyncd"], (SYSTEM,)),
        (["/usr/sbin/ntpd", "-g"], (SYSTEM,)),
        (["phc2sys", "-s", "eth0", "-w"], (SYSTEM,)),
        (["phc2sys", "-s", "eth0", "-c", "eth1", "-O", "0"], ("/dev/ptp1",)),
        (["phc2sys", "-a", "-r"], (SYSTEM,)),
        (["phc2sys", "-a"], ()),
        (["ts2phc", "-c", "eth0", "-s", "nmea"], ("/dev/ptp0",)),
        (["ptp4l", "-i", "eth0", "-m"], ("/dev/ptp0",)),
        (["ptp4l", "-S", "-i", "eth0"], (SYSTEM,)),
        (["ptp4l", "-i", "eth0", "--free_running=1"], ()),
        (["ptp4l", "-i", "eth0", "--free_running", "1"], ()),
        (["ptp4l", "-i", "eth0", "--serverOnly=1"], ()),
        (["ptp4l", "-i", "eth0", "-s"], ("/dev/ptp0",)),
        (["ptpstack", "oc", "-i", "eth0", "--steer"], (SYSTEM,)),
        (["phc2sys", "-s", "eth0", "-O", "-37", "-E", "ntpshm", "-M", "2"], ()),
        (["phc2sys", "-a", "-r", "--clock_servo=refclock_sock"], ()),
        (["phc2sys", "-a", "-r", "-E", "linreg"], (SYSTEM,)),
        (["ptp4l", "-i", "eth0", "--clock_servo", "ntpshm"], ()),
        (["python3", "-P", "-m", "ptpstack", "ts2phc", "-c", "eth0"], ("/dev/ptp0",)),
        (["python3", "-P", "-m", "ptpstack", "phc2sys", "-s", "eth0", "-c", "eth1", "-O", "0"], ("/dev/ptp1",)),
        (["python3", "-P", "-m", "ptpstack", "ptp4l", "-i", "eth0", "-S"], (SYSTEM,)),
    ],
)
def test_what_a_program_steers_is_read_from_its_command_line(argv: list[str], steers: tuple[str, ...]) -> None:
    (program,) = programs([process(5, *argv)], phc_of)
    assert program.steers == steers
    assert program.how


def test_a_command_of_ptpstack_that_goes_by_linuxptps_name() -> None:
    shim = process(5, "python3", "-P", "-m", "ptpstack", "ts2phc", "-c", "eth0")
    (program,) = programs([replace(shim, name="ts2phc")], phc_of)
    assert (program.name, program.kind, program.steers) == ("ts2phc", "clock", ("/dev/ptp0",))


def test_options_that_are_not_understood_are_no_claim() -> None:
    for name in ("phc2sys", "ts2phc", "ptp4l"):
        (program,) = programs([process(5, name, "--of-the-future", "-c", "eth1")], phc_of)
        assert (program.steers, "not understood" in program.how) == ((), True)
    (program,) = programs([process(5, "chronyd", "-Y")], phc_of)
    assert "not known" in program.how


@pytest.mark.parametrize(
    ("argv", "text", "steers"),
    [
        (["phc2sys", "-a", "-r"], "[global]\nclock_servo ntpshm\n", ()),
        (["phc2sys", "-a", "-r", "-E", "pi"], "[global]\nclock_servo ntpshm\n", (SYSTEM,)),
        (["ptp4l"], "[global]\nclock_servo refclock_sock\n[eth0]\n", ()),
        (["ptp4l"], "[global]\ntime_stamping software\n[eth0]\n", (SYSTEM,)),
        (["ptp4l", "-H"], "[global]\ntime_stamping software\n[eth0]\n", ("/dev/ptp0",)),
        (["ptp4l", "-i", "eth1"], "[global]\n[eth0]\nmasterOnly 1\n[eth1]\nserverOnly 1\n", ()),
        (["ptp4l", "-i", "eth1"], "[global]\n[eth0]\nmasterOnly 1\n", ("/dev/ptp1", "/dev/ptp0")),
        (["ts2phc", "-c", "eth0"], "[global]\n[eth1]\n", ("/dev/ptp0", "/dev/ptp1")),
        (["ts2phc"], "[eth0]\nts2phc.master 1\n[eth1]\n", ("/dev/ptp1",)),
    ],
)
def test_what_a_program_steers_is_read_from_its_file(
    argv: list[str], text: str, steers: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "linuxptp.conf"
    file.write_text(text)
    (program,) = programs([process(os.getpid(), *argv, "-f", str(file))], phc_of)
    assert program.steers == steers
    (program,) = programs([process(os.getpid(), *argv, "-f", f"{file}.not")], phc_of)
    assert "cannot be read" in program.how


def test_who_may_not_set_the_system_clock_does_not() -> None:
    harmless = Process(5, 1, "chronyd", ("chronyd",), capabilities=0)
    elsewhere = replace(harmless, capabilities=ALL, same_user_namespace=False)
    for one in (harmless, elsewhere):
        (program,) = programs([one], phc_of)
        assert program.steers == ()
        assert "CAP_SYS_TIME" in program.how


def test_a_child_process_is_not_a_second_program_and_a_doctor_is_none() -> None:
    main_, child = process(5, "chronyd"), replace(process(6, "chronyd"), parent=5)
    assert [program.pid for program in programs([main_, child], phc_of)] == [5]
    assert programs([process(7, "python3", "-m", "ptpstack", "doctor")], phc_of) == []
    assert programs([process(7, "ptpstack", "status")], phc_of) == []
    (node,) = programs([process(8, "python3", "/opt/bin/ptpstack", "gm", "-i", "eth0", "--domain", "4")], phc_of)
    assert (node.name, node.interfaces, node.domain) == ("ptpstack", ("eth0",), 4)


def test_interfaces_of_another_network_namespace_are_not_ours() -> None:
    (program,) = programs([process(5, "ptp4l", "-i", "eth0", network="net:[1]")], phc_of)
    assert program.steers == ()
    opened = process(5, "ptp4l", "-i", "eth0", network="net:[1]", clocks=("/dev/ptp9",))
    assert programs([opened], phc_of)[0].steers == ("/dev/ptp9",)


def test_one_steers_two_contest_and_a_configuration_wants() -> None:
    chronyd = Program("chronyd", 5, "ntp", "net:[2]", (SYSTEM,), "it is for that")
    ntpd = Program("ntpd", 6, "ntp", "net:[1]", (SYSTEM,), "it is for that")
    assert ids(daemons.judge(daemons.Daemons((), "net:[1]"))) == {"no-time-programs"}
    one = daemons.judge(daemons.Daemons((chronyd,), "net:[1]"))
    assert ids(one) == {"clock-steered"}
    assert bad(one) == []
    both = daemons.judge(daemons.Daemons((chronyd, ntpd), "net:[1]"))
    assert bad(both) == ["clock-contested"]
    assert "pid 5" in both[0].evidence
    assert bad(daemons.judge(daemons.Daemons((chronyd,), "net:[1]", (SYSTEM,)))) == ["clock-taken"]
    node = Program("ptpstack", 7, "ptp", "net:[1]", (SYSTEM,), "site file")
    assert bad(daemons.judge(daemons.Daemons((node,), "net:[1]", (SYSTEM,)))) == []


def test_who_may_serve_as_well_as_follow_contests_only_while_it_follows() -> None:
    """phc2sys feeds the clock of ptp4l's interface: a grandmaster made of linuxptp, and a fight once it follows."""
    (server,) = programs([process(5, "ptp4l", "-i", "eth0")], phc_of)
    (client,) = programs([process(5, "ptp4l", "-i", "eth0", "-s")], phc_of)
    (feeder,) = programs([process(6, "phc2sys", "-s", "CLOCK_REALTIME", "-c", "eth0")], phc_of)
    assert (server.if_client, client.if_client) == (True, False)

    def severity(ptp4l: Program, serving: frozenset[tuple[str, int]]) -> str:
        (finding,) = [
            f for f in daemons.judge(daemons.Daemons((ptp4l, feeder), "", serving=serving)) if f.id == "clock-contested"
        ]
        return finding.severity

    assert severity(client, frozenset()) == ERROR
    assert severity(server, frozenset()) == WARNING
    assert severity(server, frozenset({("eth0", 0)})) == NOTE
    assert severity(server, frozenset({("eth0", 24)})) == WARNING


def test_ptp_programs_are_rivals_in_one_network_interface_and_domain_only() -> None:
    one = Program("ptp4l", 5, "ptp", "net:[1]", (), "free", ("eth0",), 0)
    for other, rivals in (
        (replace(one, pid=6), True),
        (replace(one, pid=6, network="net:[2]"), False),
        (replace(one, pid=6, interfaces=("eth1",)), False),
        (replace(one, pid=6, domain=24), False),
        (replace(one, pid=6, interfaces=(), domain=None), True),
    ):
        found = daemons.judge(daemons.Daemons((one, other), "net:[1]"))
        assert ("two-ptp-programs" in ids(found)) == rivals


def test_the_running_node() -> None:
    port = {"number": 1, "channel": "eth0/udp4", "state": "SLAVE", "decision": None}
    channel = {"name": "eth0/udp4", "problem": None, "counters": {"sent": 10_000, "tx_stamp_missing": 2}}
    fine = {
        "node": "a",
        "pid": 5,
        "instances": [{"name": "i", "ports": [port]}],
        "channels": [channel],
        "clocks": [],
        "identity_conflicts": [],
    }
    assert nodes.judge(None) == []
    assert ids(nodes.judge(fine)) == {"node-fine"}
    faulty = {**port, "state": "FAULTY", "decision": {"reason": "the link is down"}}
    (finding,) = nodes.judge({**fine, "instances": [{"name": "i", "ports": [faulty]}]})
    assert (finding.id, finding.evidence) == ("node-port-faulty", "i port 1 on eth0/udp4: the link is down")
    for change, id_ in (
        ({"identity_conflicts": ["another node speaks with our clockIdentity"]}, "node-identity-conflict"),
        ({"channels": [{**channel, "problem": "the interface went away"}]}, "node-channel-problem"),
        ({"channels": [{**channel, "counters": {"sent": 100, "tx_stamp_missing": 9}}]}, "node-stamps-missing"),
        ({"channels": [{**channel, "counters": {"kernel_drops": 9}}]}, "node-drops"),
        ({"clocks": [{"name": "nic", "foreign": {"changes": 3, "age_s": 9.0}}]}, "node-clock-changed-by-others"),
    ):
        assert ids(nodes.judge({**fine, **change})) == {id_}


def test_a_finding_knows_its_severity() -> None:
    assert links.judge(links.Link("eth0", UP))[0].severity == OK
