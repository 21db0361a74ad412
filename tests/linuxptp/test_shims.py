from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ptpstack.cli.main import main
from ptpstack.linuxptp.commands import shims


def whats(done: list[shims.Done]) -> dict[str, str]:
    return {Path(each.path).name: each.what for each in done}


def test_they_are_made_once_and_removed_with_their_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "bin"
    assert whats(shims.install(str(folder))) == dict.fromkeys(shims.NAMES, "installed")
    assert whats(shims.install(str(folder))) == dict.fromkeys(shims.NAMES, "unchanged")
    (folder / "pmc").write_text((folder / "pmc").read_text() + "# older\n")
    assert whats(shims.install(str(folder)))["pmc"] == "updated"
    assert sorted(path.name for path in folder.iterdir()) == sorted(shims.NAMES)
    assert whats(shims.remove(str(folder))) == dict.fromkeys(shims.NAMES, "removed")
    assert not folder.exists()
    assert whats(shims.remove(str(folder))) == dict.fromkeys(shims.NAMES, "absent")


def test_what_is_none_of_ours_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ptp4l").write_bytes(b"\x7fELF")
    (tmp_path / "pmc").symlink_to("/bin/true")
    (tmp_path / "phc2sys").mkdir()
    assert main(["install-shims", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert f"refused   {tmp_path}/ptp4l: something else is there" in said
    assert f"installed {tmp_path}/ts2phc" in said
    assert main(["install-shims", "--remove", "--json", str(tmp_path)]) == 1
    assert [row["what"] for row in json.loads(capsys.readouterr().out)][:3] == ["refused"] * 3
    assert (tmp_path / "ptp4l").read_bytes() == b"\x7fELF"
    assert (tmp_path / "pmc").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["phc2sys", "pmc", "ptp4l"]


def test_a_shim_runs_the_command_of_its_name_from_anywhere(tmp_path: Path) -> None:
    shims.install(str(tmp_path / "bin"))
    # a folder that would be taken for the package, if the present directory counted
    (tmp_path / "ptpstack").mkdir()
    (tmp_path / "ptpstack" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    for name in shims.NAMES:
        done = subprocess.run(
            [tmp_path / "bin" / name, "-v"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout.split()[0]) == (0, "ptpstack"), (name, done.stderr)
    assert sys.executable in (tmp_path / "bin" / "ptp4l").read_text()
