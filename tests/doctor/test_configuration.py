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


@pytest.mark.parametrize("text", ["[global]\n", "# ours\n[eth0]\nnetwork_transport L2\n", "[global]\npriority1 300\n"])
def test_a_file_of_linuxptp_is_known_as_one(text: str, tmp_path: Path) -> None:
    file = tmp_path / "ptp4l.conf"
    file.write_text(text)
    _, (finding, *_) = read(str(file))
    assert "ptpstack import-linuxptp FILE" in finding.advice
    file.write_text("[[instance]]\npriority1 = 300 x\n")
    _, (finding, *_) = read(str(file))
    assert "ptpstack check FILE" in finding.advice
