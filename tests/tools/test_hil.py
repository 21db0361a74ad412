"""The rig's tools as far as they need no guest."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tools.hil import compare
from tools.hil.apt_source import main_archive, stanza
from tools.hil.initrd import Archive, in_load_order, unpack_kernel

HIL = Path(__file__).resolve().parents[2] / "tools" / "hil"


def apt(root: Path, name: str, text: str) -> None:
    file = root / "apt" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_the_machines_own_archive_and_key_are_used(tmp_path: Path) -> None:
    apt(tmp_path, "sources.list.d/other.sources", "Types: deb\nURIs: http://a/x\nSuites: sid\nComponents: main\n")
    apt(
        tmp_path,
        "sources.list.d/debian.sources",
        "Types: deb\nURIs: http://b/debian\nSuites: bookworm bookworm-updates\nSigned-By: /k.gpg\n\n"
        "Types: deb\nURIs: http://c/sec\nSuites: bookworm-security\n",
    )
    found = main_archive(tmp_path, "bookworm")
    assert found == ("http://b/debian", "/k.gpg")
    text = stanza(found[0], ["bookworm", "bookworm-backports"], found[1])
    assert "URIs: http://b/debian\nSuites: bookworm bookworm-backports\n" in text
    assert "Signed-By: /k.gpg" in text


def test_one_line_sources_too(tmp_path: Path) -> None:
    apt(tmp_path, "sources.list", "# x\ndeb [arch=amd64 signed-by=/k.asc] http://d/debian trixie main\n")
    assert main_archive(tmp_path, "trixie") == ("http://d/debian", "/k.asc")
    with pytest.raises(LookupError, match="bookworm"):
        main_archive(tmp_path, "bookworm")


def test_an_archive_is_what_cpio_reads(tmp_path: Path) -> None:
    archive = Archive()
    archive.add("bin", 0o040755)
    archive.add("bin/x", 0o100755, b"hello")
    archive.add("TRAILER!!!", 0)
    octets = bytes(archive.octets)
    assert len(octets) % 4 == 0
    assert octets.startswith(b"070701")
    names = [part.split(b"\0")[0] for part in octets.split(b"070701")[1:]]
    assert [name[104:] for name in names] == [b"bin", b"bin/x", b"TRAILER!!!"]
    assert b"hello" in octets


def test_modules_come_after_what_they_need(tmp_path: Path) -> None:
    (tmp_path / "a-b.ko").write_bytes(b"\0depends=c_d,e\0")
    (tmp_path / "c_d.ko").write_bytes(b"\0depends=e\0")
    (tmp_path / "e.ko").write_bytes(b"\0depends=\0")
    own = tmp_path / "own" / "mine.ko"
    own.parent.mkdir()
    own.write_bytes(b"mine")
    assert list(in_load_order(tmp_path, [str(own), "a_b", "builtin"])) == ["e", "c_d", "a_b", "mine"]


def test_what_is_no_kernel_is_refused() -> None:
    image = bytearray(0x2000)
    image[0x248:0x250] = (0).to_bytes(4, "little") + (16).to_bytes(4, "little")
    with pytest.raises(ValueError, match="unknown kind"):
        unpack_kernel(bytes(image))


@pytest.mark.parametrize("script", ["run", "setup"])
def test_help(script: str) -> None:
    shown = subprocess.run([HIL / script, "--help"], capture_output=True, text=True, check=True).stdout
    assert shown.startswith(f"tools/hil/{script}") or f"tools/hil/{script}" in shown
    assert "set -e" not in shown


def test_scenarios_wire_both_programs_both_ways() -> None:
    for name, plans in compare.SCENARIOS.items():
        clients = [pair["oc"] for plan in plans for pair in plan["pairs"]]
        assert set(clients) == {"ptp4l", "ptpstack"}, name
        assert all(len(plan["pairs"]) <= 8 for plan in plans), "sixteen ports at most"
        json.dumps(plans)


def test_the_table() -> None:
    row = {
        "grandmaster": "ptp4l",
        "client": "ptpstack",
        "lock_s": None,
        "rms": 1.26,
        "mean": -0.5,
        "p95": 2.0,
        "max": 3.0,
        "inside": 0.999,
        "bound_ns": 12.4,
        "servo": "estimator",
    }
    found = {"versions": {"ptp4l": "4.2", "linux": "6.12"}, "scenarios": [{"name": "clean-l2", "outcomes": [row]}]}
    lines = compare.table(found).splitlines()
    words = "clean-l2 ptp4l ptpstack never 1.3 -0.5 2.0 3.0 12 99.9% estimator"
    assert " ".join(lines[1].split()) == words
    assert "ptp4l 4.2" in lines[-1]
