"""The servos of linuxptp that steer nothing become feeds."""

from __future__ import annotations

import pytest

from ptpstack.config.load import parse_document
from ptpstack.linuxptp.exporter import export_site
from ptpstack.linuxptp.importer import Imported, import_settings
from ptpstack.linuxptp.reader import parse_config
from ptpstack.linuxptp.settings import Settings


def imported(lines: str) -> Imported:
    return import_settings([Settings(parse_config(f"[global]\n{lines}\n".encode(), "x.cfg"), ["eth0"])])


@pytest.mark.parametrize(
    ("lines", "key", "value"),
    [
        ("clock_servo ntpshm", "feed_shm", 0),
        ("clock_servo ntpshm\nntpshm_segment 7", "feed_shm", 7),
        ("clock_servo refclock_sock", "feed_sock", "/var/run/refclock.ptp.sock"),
        ("clock_servo refclock_sock\nrefclock_sock_address /run/s", "feed_sock", "/run/s"),
    ],
)
def test_a_feed_steers_nothing(lines: str, key: str, value: object) -> None:
    found = imported(f"time_stamping software\n{lines}")
    assert not found.refused
    (instance,) = found.document["instance"]
    assert (instance[key], instance["servo"]["type"]) == (value, "pi")
    assert found.document["clock"][0]["steer"] is False
    assert {row.outcome for row in found.rows} == {"kept"}
    # and back: the same data
    site, _ = parse_document(found.document)
    assert site is not None
    (exported,) = export_site(site)
    again = import_settings([Settings(parse_config(exported.text.encode(), "y.cfg"))])
    assert again.document == found.document


def test_an_address_without_its_servo_says_nothing() -> None:
    found = imported("clock_servo pi\nntpshm_segment 7")
    assert "feed_shm" not in found.document["instance"][0]
    assert {row.setting.key: row.outcome for row in found.rows}["ntpshm_segment"] == "not needed"


def test_a_segment_that_is_none_is_refused() -> None:
    (finding,) = imported("clock_servo ntpshm\nntpshm_segment 256").refused
    assert "0..255" in str(finding)
