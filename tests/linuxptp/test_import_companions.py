"""phc2sys and ts2phc beside ptp4l, in the site that comes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ptpstack.config.findings import ConfigError
from ptpstack.linuxptp.importer import Imported, import_settings
from ptpstack.linuxptp.phc2sys import parse_phc2sys
from ptpstack.linuxptp.reader import parse_config
from ptpstack.linuxptp.settings import Settings

TO_SYSTEM = ("clock", "system")
TO_PHC = ("system", "clock")


def beside(options: str, lines: str = "", phc: str = "") -> Imported:
    file = parse_config(f"[global]\n{lines}\n".encode(), "x.cfg")
    return import_settings([Settings(file, ["eth1"], (), phc)], phc2sys=[parse_phc2sys(options)])


def servo(options: str) -> dict[str, Any]:
    found = beside(options)
    assert not found.refused
    return dict(found.document["edge"][0].get("servo", {}))


@pytest.mark.parametrize(
    ("options", "phc", "edge"),
    [
        ("-a -r", "", TO_SYSTEM),
        ("-s eth1 -w", "", TO_SYSTEM),
        ("-i eth1 -c clock_realtime -O -37", "", TO_SYSTEM),
        ("-s /dev/ptp7 -w", "/dev/ptp7", TO_SYSTEM),
        ("-s ptp7 -w", "/dev/ptp7", TO_SYSTEM),
        ("-s CLOCK_REALTIME -c eth1 -O 37", "", TO_PHC),
    ],
)
def test_source_and_sink_are_the_ones_given(options: str, phc: str, edge: tuple[str, str]) -> None:
    found = beside(options, phc=phc)
    assert not found.refused
    assert [(e["from"], e["to"]) for e in found.document["edge"]] == [edge]


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("-s eth1 -c eth2 -O 0", "the sink eth2"),
        ("-s eth1 -c CLOCK_REALTIME -c /dev/ptp3 -w", "the sink /dev/ptp3"),
        ("-s CLOCK_REALTIME -c eth2 -O 37", "eth2 is no clock of an instance"),
        ("-s CLOCK_REALTIME -c eth1 -c eth2 -O 37", "the sink eth2"),
        ("-s /dev/ptp7 -w", "/dev/ptp7 is no clock of an instance"),
        ("-s eth1", "Give -w"),
        ("-a -r -s eth1", "goes without -s"),
        ("-d /dev/pps0 -O 0", "PPS"),
        ("-s CLOCK_REALTIME -c eth1 -O 37 -E ntpshm", "its source"),
    ],
)
def test_what_an_edge_cannot_do_is_refused(options: str, why: str) -> None:
    found = beside(options)
    (finding,) = found.refused
    assert why in finding.reason
    assert "edge" not in found.document


@pytest.mark.parametrize(
    ("options", "why"), [("-a", "tied by themselves"), ("-s CLOCK_REALTIME -O 0", "the same clock")]
)
def test_what_steers_nothing_is_told_and_left_out(options: str, why: str) -> None:
    found = beside(options)
    assert [why in f.reason for f in found.findings] == [True]
    assert not found.refused
    assert "edge" not in found.document


def test_servo_of_the_edge(tmp_path: Path) -> None:
    assert servo("-a -r") == {}
    assert servo("-a -r -Elinreg") == {"type": "linreg"}
    assert servo("-a -r -E nullf") == {"type": "nullf"}
    assert servo("-ar -P0.5 -I0.2") == {"type": "pi", "kp": 0.5, "ki": 0.2}
    assert servo("-a -r --step_threshold 1 -F 0") == {"step_threshold_ns": 1e9, "first_step_threshold_ns": 0.0}
    file = tmp_path / "phc2sys.conf"
    file.write_text("[global]\nclock_servo pi\nstep_threshold 2\n")
    # the command line wins
    by_file = servo(f"-a -r -f {file} -S 3")
    assert by_file == {"type": "pi", "kp": 0.7, "ki": 0.3, "step_threshold_ns": 3e9}


@pytest.mark.parametrize(
    ("options", "key", "value"),
    [
        ("-E ntpshm -M 2", "feed_shm", 2),
        ("-E refclock_sock --refclock_sock_address /run/s", "feed_sock", "/run/s"),
    ],
)
def test_a_servo_that_feeds_becomes_a_feed(options: str, key: str, value: object) -> None:
    found = beside(f"-s eth1 -w {options}")
    assert not found.refused
    assert found.document["instance"][0][key] == value
    assert "edge" not in found.document
    # what is fed is not what is steered
    assert [clock["type"] for clock in found.document["clock"]] == ["phc"]
    (finding,) = beside("-a -r -E ntpshm -M 2", "clock_servo ntpshm\nntpshm_segment 3").refused
    assert "3 is fed already" in finding.reason


@pytest.mark.parametrize(
    "options",
    [
        "-a -R nan",
        "-a -R -4",
        "-a -R 0",
        "-a -N 26",
        "-a -E ntpshm -M 256",
        "-a -f /none",
        'x" y',
        "-a b",
        "-a --foo 1",
    ],
)
def test_options_that_are_none(options: str) -> None:
    with pytest.raises(ConfigError):
        parse_phc2sys(options)


PULSE = "[global]\nstep_threshold 0.1\nclock_servo pi\nleapfile /leap\nts2phc.tod_source nmea\nverbose 0\n[eth1]\n"


def pulsed(ts2phc: str, ptp4l: str = "[global]\n[eth1]\n") -> Imported:
    return import_settings([Settings(parse_config(text.encode(), "x.cfg")) for text in (ptp4l, ts2phc)])


def test_settings_of_ts2phc_are_somewhere_or_said_to_differ() -> None:
    found = pulsed(f"{PULSE}ts2phc.channel 1\n")
    assert not found.refused
    outcomes = {row.setting.key: row.outcome for row in found.rows}
    assert [key for key, outcome in outcomes.items() if outcome == "kept"] == ["ts2phc.channel", "leapfile"]
    assert [key for key, outcome in outcomes.items() if outcome == "differs"] == [
        *("ts2phc.tod_source", "clock_servo", "step_threshold"),
    ]
    assert found.document["node"]["leap_file"] == "/leap"
    assert "pin" not in found.document["instance"][0]["reference"]


def test_a_pin_is_set_when_it_is_given() -> None:
    found = pulsed("[global]\nts2phc.pin_index 0\n[eth1]\n")
    assert found.document["instance"][0]["reference"]["pin"] == 0


def test_a_second_pulse_of_an_instance_is_not_kept() -> None:
    found = pulsed("[global]\n[a]\n[b]\nts2phc.channel 1\n", "[global]\n[a]\n[b]\n")
    assert [row.outcome for row in found.rows] == ["differs"]
