"""Rows of the conformance catalogue that the configuration keeps: ranges of the default profile."""

from __future__ import annotations

import pytest

from ptpstack.config.findings import ERROR
from ptpstack.config.load import parse_site

HEAD = '[[instance]]\nprofile = "default-e2e"\n[[instance.port]]\ninterface = "eth1"\n'


def errors(line: str) -> list[str]:
    return [f.path for f in parse_site(HEAD + line)[1] if f.severity == ERROR]


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("log_announce_interval", 0, 4),
        ("log_sync_interval", -1, 1),
        ("log_min_delay_req_interval", 0, 5),
        ("announce_receipt_timeout", 2, 10),
    ],
)
def test_PRF_03_ranges_of_the_default_profile_are_enforced(name: str, low: int, high: int) -> None:
    for value in (low, high):
        assert errors(f"{name} = {value}\n") == []
    for value in (low - 1, high + 1):
        assert errors(f"{name} = {value}\n") == [f"instance[0].port[0].{name}"]


@pytest.mark.parametrize("timeout", [0, 1])
def test_FSM_20_a_timeout_below_two_is_refused(timeout: int) -> None:
    line = f"announce_receipt_timeout = {timeout}\n"
    assert errors(line) == ["instance[0].port[0].announce_receipt_timeout"]
    unrestricted = HEAD.replace("default-e2e", "unrestricted") + line
    assert [f.path for f in parse_site(unrestricted)[1] if f.severity == ERROR]
