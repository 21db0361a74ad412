"""check, profiles, units, and the reference document."""

from __future__ import annotations

import argparse
import configparser
import json
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from ptpstack.cli import check, profiles, units
from ptpstack.config.data import shipped
from ptpstack.config.load import loads
from ptpstack.config.reference import reference
from ptpstack.config.schema import SITE, Table

ROOT = Path(__file__).parents[2]
GOOD = '[[instance]]\n[[instance.port]]\ninterface = "eth1"\n'


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers(required=True)
    for module in (check, profiles, units):
        module.add_parser(subparsers)
    args = parser.parse_args(arguments)
    return int(args.func(args))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(GOOD)
    return path


def test_check_fine(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "--offline", str(site)) == 0
    assert capsys.readouterr().out == f"{site}: fine\n"


def test_check_errors(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site.write_text(GOOD + "ttl = 0\n")
    assert run("check", "--offline", str(site)) == 1
    out = capsys.readouterr().out.splitlines()
    assert out[0] == f"{site}:4: error: instance[0].port[0].ttl: 0 is out of range"
    assert out[1].strip() == "fix: use 1..255 hops"
    assert out[2] == f"{site}: 1 error"


def test_check_warnings_are_fine(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site.write_text(GOOD.replace("eth1", "nosuch0"))
    assert run("check", str(site)) == 0
    assert "this machine has no interface" in capsys.readouterr().out


def test_check_unreadable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", str(tmp_path / "none.toml")) == 2
    assert "cannot be read" in capsys.readouterr().out
    assert run("check", "--json", str(tmp_path)) == 2
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_check_json(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site.write_text(GOOD + "ttl = 0\n")
    assert run("check", "--json", "--offline", "--print-effective", str(site)) == 1
    result = json.loads(capsys.readouterr().out)
    assert (result["ok"], result["effective"]) == (False, None)
    assert [(f["line"], f["path"]) for f in result["findings"]] == [(4, "instance[0].port[0].ttl")]


def test_check_print_effective(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("check", "--offline", "--print-effective", str(site)) == 0
    captured = capsys.readouterr()
    assert loads(captured.out) == loads(GOOD)
    assert captured.err == f"{site}: fine\n"
    assert run("check", "--offline", "--print-effective", "--json", str(site)) == 0
    assert json.loads(capsys.readouterr().out)["effective"] == tomllib.loads(captured.out)


def test_profiles(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("profiles") == 0
    assert "hospital-theatre" in capsys.readouterr().out
    assert run("profiles", "--json") == 0
    assert {p["name"] for p in json.loads(capsys.readouterr().out)} >= {"default-e2e", "unrestricted"}
    assert run("profiles", "default-e2e", "--json") == 0
    assert json.loads(capsys.readouterr().out)["parameters"]["domain"]["max"] == 127
    assert run("profiles", "default-e2e") == 0
    assert "log_sync_interval                  0  -1..1 log2 s" in capsys.readouterr().out
    assert run("profiles", "--print", "default-e2e") == 0
    mine = tmp_path / "mine.toml"
    mine.write_text(capsys.readouterr().out)
    assert run("profiles", str(mine)) == 0
    assert run("profiles", str(mine), "--print") == 0
    assert capsys.readouterr().out.endswith(mine.read_text())


def test_profiles_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("profiles", "defualt-e2e") == 1
    assert 'did you mean "default-e2e"' in capsys.readouterr().err
    assert run("profiles", "/nonexistent.toml") == 2


def test_units_print(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("units") == 0
    assert capsys.readouterr().out.split() == ["ptpstack.service", "ptpstack@.service"]
    assert run("units", "--print", "ptpstack.service") == 0
    assert "Type=notify" in capsys.readouterr().out
    assert run("units", "--print", "ptpstak.service") == 1
    assert 'did you mean "ptpstack.service"' in capsys.readouterr().err


def test_units_install_loses_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("units", "--install", str(tmp_path / "none")) == 1
    mine = tmp_path / "ptpstack@.service"
    mine.write_text("[Service]\n")
    assert run("units", "--install", str(tmp_path)) == 1
    assert "nothing was changed" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == [mine.name]
    assert run("units", "--install", str(tmp_path), "--force") == 0
    assert run("units", "--install", str(tmp_path)) == 0  # the same again differs in nothing
    assert {p.name: p.stat().st_mode & 0o777 for p in tmp_path.iterdir()} == {
        "ptpstack.service": 0o644,
        "ptpstack@.service": 0o644,
    }


@pytest.mark.parametrize("name", ["ptpstack.service", "ptpstack@.service"])
def test_units_are_hardened(name: str) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(shipped("systemd", ".service")[name].read_text())
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert set(service["CapabilityBoundingSet"].split()) == {
        "CAP_NET_RAW",
        "CAP_NET_BIND_SERVICE",
        "CAP_NET_ADMIN",
        "CAP_SYS_TIME",
    }
    assert service["NoNewPrivileges"] == service["ProtectHome"] == "yes"
    assert service["RuntimeDirectory"] == "ptpstack"
    assert float(service["WatchdogSec"]) > 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_units_are_accepted_by_systemd() -> None:
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(ROOT / "packaging" / "ptpstack.service")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "ptpstack" not in result.stderr, result.stderr


def test_wheel_carries_profiles_and_units() -> None:
    """The folders that config.data looks into are those that the build puts there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"] == {
        "profiles": "ptpstack/_data/profiles",
        "packaging": "ptpstack/_data/systemd",
    }


def test_reference_is_in_step() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text() == reference(), (
        "run: python -m ptpstack.config.reference > docs/configuration.md"
    )


def test_reference_has_every_key() -> None:
    text = reference()

    def names(table: Table) -> list[str]:
        return [f.name for f in table.fields] + [n for t in table.tables for n in names(t)]

    assert all(f"| `{name}` |" in text for name in names(SITE))
    assert all(line.count("|") == 6 for line in text.splitlines() if line.startswith("|"))


def test_schema_defaults_are_valid() -> None:
    """A default out of its own range would be found by nobody else."""

    def every(table: Table) -> None:
        for spec in table.fields:
            if spec.default is not None and spec.low is not None and spec.high is not None:
                assert spec.low <= spec.default <= spec.high, spec
            if spec.default is not None and spec.choices:
                assert spec.default in spec.choices, spec
            assert spec.required or spec.profiled or spec.absent or spec.default is not None, spec
            assert not spec.profiled or spec.default is not None, spec
        for child in table.tables:
            every(child)

    every(SITE)
