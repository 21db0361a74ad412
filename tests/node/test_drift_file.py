"""The drift file: whose it is, how old, replaced whole, and never believed when it cannot be right."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ptpstack.node.driftfile import TOO_OLD_S, DriftFile, Moment, path_for

KEPT = {"nic": {"frequency_ppb": -31_000.5, "edges": {"a": {"drift_ppb": -31_000.5}}}}
THEN = Moment(1_800_000_000.0, 5_000.0, "boot one")


def drift(path: Path, now: Moment = THEN, node: str = "gm", **owners: str) -> DriftFile:
    return DriftFile(str(path), node, owners or {"nic": "phc 02:00:00:00:00:01"}, lambda: now)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "control.drift"
    assert drift(path).write(KEPT) == ""
    return path


def test_no_file_is_nothing_to_say(tmp_path: Path) -> None:
    assert drift(tmp_path / "none").read() == ({}, [])


def test_what_was_written_comes_back_with_its_age(written: Path) -> None:
    later = replace(THEN, boottime_s=5_120.0, realtime_s=0.0)
    assert drift(written, later).read() == ({"nic": {**KEPT["nic"], "age_s": 120.0}}, [])
    rebooted = Moment(1_800_000_600.0, 3.0, "boot two")
    assert drift(written, rebooted).read()[0]["nic"]["age_s"] == 600.0


@pytest.mark.parametrize(
    ("now", "owner", "node", "why"),
    [
        (THEN, "phc 02:00:00:00:00:02", "gm", "it belongs to phc 02:00:00:00:00:01 of node gm"),
        (THEN, "phc 02:00:00:00:00:01", "other", "this is phc 02:00:00:00:00:01 of other"),
        (Moment(1_799_999_000.0, 3.0, "two"), "phc 02:00:00:00:00:01", "gm", "from the future"),
        (Moment(1_800_000_000.0 + TOO_OLD_S + 60, 3.0, "two"), "phc 02:00:00:00:00:01", "gm", "30 days old"),
    ],
)
def test_somebody_elses_or_too_old_is_not_used_and_says_why(
    written: Path, now: Moment, owner: str, node: str, why: str
) -> None:
    kept, (note,) = drift(written, now, node, nic=owner).read()
    assert kept == {}
    assert why in note
    assert note.startswith(f"{written}: clock nic: not used: ")


def test_a_clock_that_is_no_longer_there(written: Path) -> None:
    kept, (note,) = drift(written, nic2="x").read()
    assert kept == {}
    assert "no such clock" in note


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1, 2]",
        b"\xff\xfe",
        b'{"version": 2, "clocks": {}}',
        b'{"version": 1, "clocks": {"nic": 5}}',
        b'{"version": 1, "clocks": {"nic": {"node": "gm"}}}',
        b"[" * 100_000,
        b'{"version": 1, "clocks": {"nic": {"node": "gm", "hardware": "phc 02:00:00:00:00:01", "written_s": "x", '
        b'"boottime_s": 1, "boot": "", "kept": {"frequency_ppb": 1}}}}',
        b'{"version": 1, "clocks": {"nic": {"node": "gm", "hardware": "phc 02:00:00:00:00:01", "written_s": 1e9, '
        b'"boottime_s": 1, "boot": "boot one", "kept": {"frequency_ppb": NaN}}}}',
    ],
)
def test_damage_is_told_and_raises_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.drift"
    path.write_bytes(content)
    kept, notes = drift(path).read()
    assert kept == {}
    assert len(notes) == 1


def test_it_is_replaced_whole_and_keeps_the_entries_of_other_clocks_of_this_node(written: Path) -> None:
    owners = {"nic": "phc 02:00:00:00:00:01", "system": "system system"}
    other: dict[str, Any] = {"system": {"frequency_ppb": 5.0, "edges": {}}}
    before = os.stat(written).st_ino
    assert drift(written, **owners).write(other) == ""
    assert os.stat(written).st_ino != before
    assert set(drift(written, **owners).read()[0]) == {"nic", "system"}
    assert os.listdir(written.parent) == [written.name]
    # nothing learnt: what lies there stays
    assert drift(written, **owners).write({}) == ""
    assert set(json.loads(written.read_text())["clocks"]) == {"nic", "system"}


def test_a_directory_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    file = drift(tmp_path / "none" / "x.drift")
    assert "cannot be written: No such file or directory" in file.write(KEPT)
    assert file.problem


def test_where_it_lies() -> None:
    assert path_for(None, "/run/ptpstack/control.sock", {}) == "/run/ptpstack/control.drift"
    environment = {"STATE_DIRECTORY": "/var/lib/ptpstack:/x"}
    assert path_for(None, "/run/ptpstack/control.sock", environment) == "/var/lib/ptpstack/control.drift"
    assert path_for("/srv", "/run/ptpstack/gm.sock", environment) == "/srv/gm.drift"
    assert path_for("off", "/run/ptpstack/gm.sock", environment) is None
    assert path_for(None, "gm.sock", {}) == "./gm.drift"
