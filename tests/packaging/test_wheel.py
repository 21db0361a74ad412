"""Installed from its wheel into an empty environment, everything that travels along is found."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of executables of an environment that holds the wheel and what it depends on, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)],
        check=True,
        timeout=300,
    )
    [wheel] = folder.glob("ptpstack-*.whl")
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    subprocess.run(
        [environment / "bin" / "python", "-m", "pip", "install", "--quiet", str(wheel)], check=True, timeout=300
    )
    return environment / "bin"


def _run(installed: Path, *arguments: str, cwd: Path) -> str:
    # -I: nothing of the checkout can be found by accident
    done = subprocess.run(
        [installed / "python", "-I", "-m", "ptpstack", *arguments], cwd=cwd, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_profiles_labs_and_units_travel_along(installed: Path, tmp_path: Path) -> None:
    profiles = _run(installed, "profiles", cwd=tmp_path)
    assert "default-e2e" in profiles
    assert "hospital-theatre" in profiles
    assert "hospital" in _run(installed, "lab", "list", cwd=tmp_path)
    assert "holdover-ocxo" in _run(installed, "simulate", "--list", cwd=tmp_path)
    assert "gm-a" in _run(installed, "lab", "show", "hospital", cwd=tmp_path)
    assert "Type=notify" in _run(installed, "units", "--print", "ptpstack.service", cwd=tmp_path)


@pytest.mark.slow
def test_a_site_is_checked_and_interfaces_are_listed(installed: Path, tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text('[[instance]]\nprofile = "hospital-imaging"\nport = [{ interface = "eth9" }]\n')
    _run(installed, "check", "--offline", str(site), cwd=tmp_path)
    assert "lo" in _run(installed, "interfaces", cwd=tmp_path)


@pytest.mark.slow
@pytest.mark.namespaces
def test_a_lab_runs(installed: Path, tmp_path: Path) -> None:
    out = _run(installed, "lab", "run", "pair", "--for", "12", "--json", str(tmp_path / "report.json"), cwd=tmp_path)
    assert "True error" in out
