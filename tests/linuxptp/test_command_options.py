"""Command lines: what they are taken for, and how the wrong ones are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ptpstack.cli.main import main
from ptpstack.linuxptp.commands import common, phc2sys, ptp4l
from ptpstack.linuxptp.commands.follow import Way
from ptpstack.linuxptp.commands.pmc import layout, options_of
from ptpstack.linuxptp.commands.ptp4l_link import Port
from ptpstack.linuxptp.importer import import_site
from ptpstack.linuxptp.phc2sys import parse
from ptpstack.wire.types import PortState

Said = Callable[[], str]


@pytest.fixture
def wrong(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """``wrong("ptp4l", "-x")``: what is said to a command line that is refused with linuxptp's status."""

    def run(*arguments: str) -> str:
        assert main(list(arguments)) == common.FAILED
        return capfd.readouterr().err

    return run


def test_what_is_wrong_is_named(wrong: Callable[..., str], tmp_path: Path) -> None:
    assert "no interface" in wrong("ptp4l", "-m", "-q")
    assert "option --nokey not recognized" in wrong("ptp4l", "--nokey", "3")
    assert "300 is out of the range of priority1; use 0..255" in wrong("ptp4l", "-i", "eth0", "--priority1=300")
    assert "'eth1' is no option" in wrong("ptp4l", "-i", "eth0", "eth1")
    config = tmp_path / "ptp4l.conf"
    config.write_text("[global]\nfoo 1\n")
    assert "line 2" in wrong("ptp4l", "-f", str(config))
    assert "foo" in wrong("ptp4l", "-f", str(tmp_path / "ptp4l.conf"))
    assert "cannot be read" in wrong("ptp4l", "-f", str(tmp_path / "nothing"))
    assert "no source" in wrong("phc2sys", "-c", "CLOCK_REALTIME", "-O", "0")
    assert "Give -w (ask ptp4l) or -O SECONDS" in wrong("phc2sys", "-s", "CLOCK_REALTIME")
    assert "goes without -s" in wrong("phc2sys", "-a", "-w")
    assert "0..255" in wrong("phc2sys", "-a", "-E", "ntpshm", "-M", "256")
    assert "out of the range" in wrong("phc2sys", "-a", "-R", "nan")
    assert "kernel PPS device is not read" in wrong("phc2sys", "-d", "/dev/pps0", "-O", "0")
    assert "no such interface" in wrong("phc2sys", "-s", "nope0", "-O", "0")
    assert "NMEA is not read" in wrong("ts2phc", "-c", "/dev/ptp99", "-s", "nmea")
    assert "no sink" in wrong("ts2phc", "-s", "generic")
    assert "which device" in wrong("phc_ctl")
    assert "unknown command fly" in wrong("phc_ctl", "CLOCK_REALTIME", "fly")
    assert "adj: how many seconds" in wrong("phc_ctl", "CLOCK_REALTIME", "adj")
    assert "which interface" in wrong("hwstamp_ctl", "-t", "1")
    assert "out of the range 0..3" in wrong("hwstamp_ctl", "-i", "lo", "-t", "9")


@pytest.mark.parametrize("name", ["ptp4l", "phc2sys", "ts2phc", "phc_ctl", "hwstamp_ctl"])
def test_help_and_version(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([name, "-h"]) == 0
    assert capfd.readouterr().out.startswith(f"usage: {name} ")
    assert main([name, "-v"]) == 0
    assert capfd.readouterr().out.startswith("ptpstack ")


def test_ptp4l_takes_options_of_every_kind(tmp_path: Path) -> None:
    config = tmp_path / "ptp4l.conf"
    config.write_text("[global]\npriority1 7\ndomainNumber 3\n[eth1]\nlogSyncInterval -3\n")
    words = ["-2", "-f", str(config), "-i", "eth0", "-S", "--domainNumber=4", "--summary_int", "5", "-l7", "-mq"]
    given, rest = common.options(words, "AEP246HSLf:i:p:sl:mqvh", [f"{name}=" for name in ptp4l._long_names()])
    asked = ptp4l._asked(given)
    settings = asked.settings
    assert rest == []
    assert settings.ports == ("eth0", "eth1")
    # the command line wins over [global]
    assert [settings.number(key) for key in ("priority1", "domainNumber", "summary_interval")] == [7, 4, 5]
    assert asked.log.level == 7
    site, _ = import_site([settings])
    assert site is not None
    fitted = ptp4l._fitted(site, settings, asked.log)
    assert [channel.transport for channel in fitted.channels] == ["l2", "l2"]
    assert (fitted.node.control, fitted.node.state_dir) == ("/var/run/ptp4l.control", "off")


def test_two_on_one_machine_have_sockets_of_their_own() -> None:
    given = [("-i", "eth0"), ("--uds_address", "/run/two"), ("-S", ""), ("-q", "")]
    asked = ptp4l._asked(given)
    site, _ = import_site([asked.settings])
    assert site is not None
    node = ptp4l._fitted(site, asked.settings, asked.log).node
    assert (node.management, node.management_read_only, node.control) == ("/run/two", "/run/tworo", "/run/two.control")


def test_who_may_not_set_the_system_clock_measures_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ptp4l._asked([("-i", "eth0"), ("-S", ""), ("-q", "")])
    site, _ = import_site([asked.settings])
    assert site is not None
    monkeypatch.setattr(ptp4l, "effective_capabilities", lambda: (1 << 64) - 1)
    assert [clock.steer for clock in ptp4l._fitted(site, asked.settings, asked.log).clocks] == [True]
    monkeypatch.setattr(ptp4l, "effective_capabilities", lambda: 0)
    clocks = ptp4l._fitted(site, asked.settings, asked.log).clocks
    assert [clock.steers("system") for clock in clocks] == [False]
    # a hardware clock needs no such right
    assert [clock.steers("phc") for clock in clocks] == [True]


def way(*words: str) -> Way:
    return phc2sys._asked(parse([*words, "-q", "-s", "CLOCK_REALTIME"])).way


def test_phc2sys_servo_and_rate() -> None:
    plain = way("-s", "CLOCK_REALTIME", "-O", "0")
    assert (plain.servo.type, plain.log_interval, plain.samples, plain.feeding) == ("estimator", 0, 5, False)
    assert plain.servo.first_step_threshold_ns == pytest.approx(20_000)
    constants = way("-P", "0.5", "-R", "16", "-N", "9", "-u", "60", "-S", "0.001", "-F", "0")
    assert (constants.servo.type, constants.servo.kp, constants.servo.ki) == ("pi", 0.5, 0.3)
    assert (constants.log_interval, constants.samples, constants.summary) == (-4, 9, 60)
    assert (constants.servo.step_threshold_ns, constants.servo.first_step_threshold_ns) == (1e6, 0.0)
    assert way("-E", "linreg").servo.type == "linreg"
    assert way("-E", "nullf").servo.type == "nullf"
    feeding = way("-E", "ntpshm", "-M", "3")
    assert (feeding.feeding, feeding.shm, feeding.sock) == (True, 3, None)
    assert way("-E", "refclock_sock", "--refclock_sock_address=/run/s").sock == "/run/s"


@pytest.mark.parametrize(
    ("states", "system", "chosen"),
    [
        ({0: "SLAVE"}, 0, ("/dev/ptp0", ())),
        ({0: "SLAVE"}, 1, ("/dev/ptp0", ("CLOCK_REALTIME",))),
        ({0: "MASTER", 1: "SLAVE"}, 1, ("/dev/ptp1", ("/dev/ptp0", "CLOCK_REALTIME"))),
        # while one begins to follow, nobody is the source
        ({0: "MASTER", 1: "UNCALIBRATED"}, 2, ("", ())),
        ({0: "MASTER", 1: "MASTER"}, 1, ("", ())),
        ({0: "MASTER", 1: "MASTER"}, 2, ("CLOCK_REALTIME", ("/dev/ptp0", "/dev/ptp1"))),
        ({0: "LISTENING"}, 2, ("", ())),
        ({None: "SLAVE"}, 2, ("", ())),
    ],
)
def test_phc2sys_chooses_by_port_states(
    states: dict[int | None, str], system: int, chosen: tuple[str, tuple[str, ...]]
) -> None:
    ports = [Port(number, PortState[state], f"eth{phc}", phc) for number, (phc, state) in enumerate(states.items(), 1)]
    assert phc2sys.choose(ports, system) == chosen


def test_pmc_takes_what_a_file_names(tmp_path: Path) -> None:
    config = tmp_path / "ptp4l.conf"
    config.write_text("[global]\nnetwork_transport L2\ntransportSpecific 0x1\nuds_address /run/x\n")
    assert options_of(str(config)) == {"transport": "l2", "socket": "/run/x", "major_sdo_id": 1}


def test_pmc_ends_with_0_as_linuxptp(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["-u", "-b", "0", "-s", str(tmp_path / "none"), "GET PRIORITY1"]
    assert main(["pmc", *words]) == 2
    assert main(["pmc", "--linuxptp", *words]) == 0
    assert "no node serves it" in capfd.readouterr().err


def test_pmc_that_cannot_begin_ends_as_linuxptp(tmp_path: Path) -> None:
    for words in (["-f", str(tmp_path / "none"), "GET PRIORITY1"], ["-i", "nosuch0", "GET PRIORITY1"]):
        assert main(["pmc", "--linuxptp", *words]) == common.FAILED
        assert main(["pmc", *(["-4"] if "-i" in words else []), *words]) == 2
    for words in (["--nokey"], ["-d", "many"]):
        assert main(["pmc", "--linuxptp", *words]) == common.FAILED
        with pytest.raises(SystemExit) as end:
            main(["pmc", *words])
        assert end.value.code == 2


@pytest.mark.parametrize(
    "words", [["phc2sys", "-s", "/dev/ptp99", "-O", "0"], ["ts2phc", "-c", "/dev/ptp99", "-s", "generic"]]
)
def test_a_failure_is_told_once_without_m_too(words: list[str], wrong: Callable[..., str]) -> None:
    said = wrong(*words, "-q")
    assert said.startswith(f"{words[0]}: ")
    assert "/dev/ptp99" in said
    assert wrong(*words, "-q", "-m").count("/dev/ptp99") == said.count("/dev/ptp99")


def test_pmc_layout() -> None:
    head = "\t001122.fffe.334455-1 seq 0 RESPONSE MANAGEMENT "
    assert layout([f"{head}PRIORITY1", "\t\tpriority1 7"]) == [f"{head}PRIORITY1 ", "\t\tpriority1 7"]
    assert layout([f"{head}NULL_PTP_MANAGEMENT"]) == [head]
    assert layout([f"{head}PORT_PROPERTIES_NP", "\t\tinterface    eth0"])[1] == "\t\tinterface               eth0"
