"""Settings over a restart: written, read, and not believed when they are somebody else's or damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ptpstack.node.settingsfile import MAX_ENTRIES, SettingsFile, settings_path

ENTRY = [1, 0x2005, 0, "6400", "read-write", "/run/pmc.1", 1767225637]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node.settings"


def test_what_is_kept_is_read_back(path: Path) -> None:
    file = SettingsFile(str(path), "n1")
    assert file.read() == ({}, "")
    assert file.keep("a", [ENTRY]) == ""
    assert file.keep("b", [ENTRY, ENTRY]) == ""
    assert SettingsFile(str(path), "n1").read() == ({"a": [ENTRY], "b": [ENTRY, ENTRY]}, "")
    assert list(path.parent.iterdir()) == [path]


def test_no_entries_are_no_instance_and_others_stay(path: Path) -> None:
    file = SettingsFile(str(path), "n1")
    file.keep("a", [ENTRY])
    file.keep("b", [ENTRY])
    later = SettingsFile(str(path), "n1")
    later.read()
    later.keep("a", [])
    assert SettingsFile(str(path), "n1").read() == ({"b": [ENTRY]}, "")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"version": 1}', "cannot be read"),
        ('{"version": 1, "node": "n1", "instances": []}', "cannot be read"),
        ('{"version": 1, "node": "n1", "instances": {"a": [3]}}', "cannot be read"),
        ('{"version": 2, "node": "n1", "instances": {}}', "version 2"),
        ('{"version": 1, "node": "n2", "instances": {}}', "belong to node n2"),
        (json.dumps({"version": 1, "node": "n1", "instances": {"a": [[]] * (MAX_ENTRIES + 1)}}), "more than"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_what_cannot_be_believed_is_not_used(path: Path, content: str, why: str) -> None:
    path.write_text(content)
    kept, problem = SettingsFile(str(path), "n1").read()
    assert kept == {}
    assert why in problem


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    file: Any = SettingsFile(str(tmp_path / "nowhere" / "x.settings"), "n1")
    assert "cannot be kept" in file.keep("a", [ENTRY])


def test_it_lies_beside_the_drift_file() -> None:
    assert settings_path("/var/lib/ptpstack/control.drift") == "/var/lib/ptpstack/control.settings"
