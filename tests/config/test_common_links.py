"""delay_mechanism COMMON_P2P: kept, written back, and the same link described alike."""

from __future__ import annotations

import pytest

from ptpstack.config.dump import dumps
from ptpstack.config.findings import ERROR, Finding
from ptpstack.config.load import parse_site
from ptpstack.config.model import Site


def look(a: str = "", b: str = "", instance: str = "") -> tuple[Site, list[Finding]]:
    text = ""
    for number, port in enumerate((a, b)):
        text += f'[[instance]]\nprofile = "unrestricted"\ndomain = {number}\n{instance}[[instance.port]]\n'
        text += f'interface = "eth1"\ndelay_mechanism = "COMMON_P2P"\n{port}\n'
    site, findings = parse_site(text)
    return site, [f for f in findings if f.severity == ERROR]


def test_it_is_kept_and_written_back() -> None:
    site, errors = look("log_min_pdelay_req_interval = 2", "log_min_pdelay_req_interval = -1")
    assert errors == []
    ports = [instance.options.ports[0] for instance in site.instances]
    assert [(p.delay_mechanism, p.log_min_pdelay_req_interval) for p in ports] == [
        ("COMMON_P2P", 2),
        ("COMMON_P2P", -1),
    ]
    assert parse_site(dumps(site))[0] == site


@pytest.mark.parametrize("key", ["delay_asymmetry_ns", "ingress_latency_ns", "egress_latency_ns"])
def test_a_link_is_described_alike(key: str) -> None:
    assert look(f"{key} = 5", f"{key} = 5")[1] == []
    (error,) = look(f"{key} = 5")[1]
    assert error.path == f"instance[1].port[0].{key}"
    assert "the link is measured once" in error.fix


def test_not_for_ieee_802_1as() -> None:
    errors = look(instance="sdo_id = 0x100\n")[1]
    assert ["asCapable" in e.reason for e in errors] == [True, True]
