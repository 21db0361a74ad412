"""What is wrong with the file itself is a finding; what it expects is tested with the traffic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ptpstack.cli.main import main
from ptpstack.doctor.site import read


def test_a_configuration_with_errors_is_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "site.toml"
    site.write_text('[[instance]]\nroll = "grandmaster"\n')
    assert main(["doctor", "--config", str(site), "-i", "nix0", "--listen", "0", "--json"]) == 3
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert {"configuration-error", "no-interface"} <= {finding["id"] for finding in answer["findings"]}


def test_its_warnings_are_findings_too(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text(
        '[[clock]]\nname = "a"\n[[clock]]\nname = "b"\n'
        '[[instance]]\nclock = "a"\n[[instance.port]]\ninterface = "eth0"\n'
    )
    _, findings = read(str(site))
    assert [finding.id for finding in findings] == ["configuration-warning"]
