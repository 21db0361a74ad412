"""import-linuxptp and export-linuxptp as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ptpstack.cli.main import main
from ptpstack.config.load import load_site


def write(folder: Path, text: str, name: str = "ptp4l.conf") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_import_writes_a_site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf, out = write(tmp_path, "[global]\nslaveOnly 1\n"), str(tmp_path / "site.toml")
    assert main(["import-linuxptp", conf, "-i", "eth1", "--set", "domainNumber=24", "-o", out]) == 0
    site = load_site(out)
    assert (site.instances[0].options.domain, site.instances[0].options.client_only) == (24, True)
    report = capsys.readouterr().out
    assert "[never-steps]" in report
    # never over a file that is there
    assert main(["import-linuxptp", conf, "-i", "eth1", "-o", out]) == 2
    assert load_site(out) == site


def test_import_to_stdout_is_the_site_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import-linuxptp", write(tmp_path, "[global]\n[eth1]\n"), "-P", "-2"]) == 0
    captured = capsys.readouterr()
    (tmp_path / "site.toml").write_text(captured.out)
    port = load_site(str(tmp_path / "site.toml")).instances[0].options.ports[0]
    assert (port.channel, port.delay_mechanism) == ("eth1/l2", "P2P")
    assert "taken over" in captured.err


def test_phc2sys_becomes_an_edge(tmp_path: Path) -> None:
    out = str(tmp_path / "site.toml")
    conf = write(tmp_path, "[global]\n[eth1]\n")
    assert main(["import-linuxptp", conf, "--phc2sys", "phc2sys -a -r -R 8 -S 0.1", "-o", out]) == 0
    site = load_site(out)
    (edge,) = site.edges
    assert (edge.source, edge.target, edge.log_interval, edge.servo.step_threshold_ns) == ("clock", "system", -3, 1e8)
    assert [c.steer for c in site.clocks] == [True, True]


@pytest.mark.parametrize("given", [["--phc2sys", "-s eth1 -w"], ["--phc2sys", "-ar"], ["--phc2sys=-ar"]])
def test_options_of_phc2sys_are_not_ours(given: list[str], tmp_path: Path) -> None:
    out = str(tmp_path / "site.toml")
    assert main(["import-linuxptp", write(tmp_path, "[global]\n[eth1]\n"), *given, "-o", out]) == 0
    assert [(edge.source, edge.target) for edge in load_site(out).edges] == [("clock", "system")]


def test_ts2phc_becomes_a_reference(tmp_path: Path) -> None:
    out = str(tmp_path / "site.toml")
    pulses = write(tmp_path, "[global]\n[eth1]\nts2phc.channel 1\nts2phc.extts_correction -40\n", "ts2phc.conf")
    assert main(["import-linuxptp", write(tmp_path, "[global]\n"), pulses, "-i", "eth1", "-o", out]) == 0
    reference = load_site(out).instances[0].reference
    assert (reference.type, reference.channel, reference.pin, reference.delay_ns) == ("pps", 1, None, 40.0)


def test_what_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import-linuxptp", write(tmp_path, "[global]\npriority1 5 # x\nfoo 1\n")]) == 1
    error = capsys.readouterr().err
    assert "ptp4l.conf:2: error" in error
    assert "ptp4l.conf:3: error" in error
    assert main(["import-linuxptp", str(tmp_path / "none.conf")]) == 2
    assert main(["import-linuxptp", write(tmp_path, "[global]\n"), "--set", "foo=1"]) == 1
    assert main(["import-linuxptp", write(tmp_path, "[global]\n"), "--phc2sys=--foo"]) == 1
    assert main(["import-linuxptp", write(tmp_path, "[global]\n"), "--phc2sys", 'x" y']) == 1
    assert "No closing quotation" in capsys.readouterr().err
    assert main(["import-linuxptp", write(tmp_path, "[global]\ntime_stamping legacy\n[a]\n")]) == 1
    assert "nothing is written" in capsys.readouterr().err


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import-linuxptp", "--json", write(tmp_path, "[golbal]\n[global]\nslaveOnly 0\n")]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["ok"]
    assert [s["rule"] for s in result["suspicions"]] == ["section-typo", "old-name"]
    assert [(s["key"], s["outcome"]) for s in result["settings"]] == [("clientOnly", "kept")]
    assert main(["import-linuxptp", "--json", write(tmp_path, "x\n")]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["line"] == 1


def test_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = write(
        tmp_path,
        "[[instance]]\ndomain = 5\nperformance_monitoring = true\nport = [{ interface = 'eth1' }]\n"
        "[[instance]]\nname = 'a/b'\nport = [{ interface = 'eth2' }]\n",
        "site.toml",
    )
    assert main(["export-linuxptp", site, "-o", str(tmp_path)]) == 0
    assert "domainNumber 5" in (tmp_path / "domain5.conf").read_text()
    assert "[eth2]" in (tmp_path / "a_b.conf").read_text()
    assert "not said: instance.performance_monitoring" in capsys.readouterr().err
    assert main(["export-linuxptp", site, "-o", str(tmp_path)]) == 1
    assert main(["export-linuxptp", "--json", site]) == 0
    capsys.readouterr()
    assert main(["export-linuxptp", site]) == 0
    assert capsys.readouterr().out.count("[global]") == 2
    assert main(["export-linuxptp", write(tmp_path, "[[instance]]\n", "bad.toml")]) == 1
