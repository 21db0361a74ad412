"""Options that came after the import: from linuxptp's files and back, and what cannot be told."""

from __future__ import annotations

import pytest

from ptpstack.config.dump import dumps
from ptpstack.config.load import loads
from ptpstack.config.model import Site
from ptpstack.linuxptp.exporter import export_site
from ptpstack.linuxptp.importer import import_site
from ptpstack.linuxptp.reader import parse_config
from ptpstack.linuxptp.settings import Settings


def site_of(text: str) -> Site:
    site, imported = import_site([Settings(parse_config(text.encode(), "x.cfg"), ["eth1"], [])])
    assert site is not None, imported.findings
    return site


@pytest.mark.parametrize(
    ("lines", "one_step"),
    [
        ("twoStepFlag 0", "yes"),
        ("time_stamping onestep", "yes"),
        ("delay_mechanism P2P\ntime_stamping p2p1step", "yes"),
        ("twoStepFlag 1", "no"),
        ("time_stamping software", "no"),
    ],
)
def test_one_step_goes_over_and_back(lines: str, one_step: str) -> None:
    site = site_of(f"[global]\n{lines}\n")
    assert site.instances[0].channels[0].one_step == one_step
    (exported,) = export_site(loads(dumps(site)))
    again = site_of(exported.text)
    assert again.instances[0].channels[0].one_step == one_step


def test_one_step_with_signatures_becomes_two_step_and_is_told() -> None:
    text = "[global]\ntime_stamping onestep\nspp 1\nactive_key_id 1\nsa_file /etc/sa\n"
    _, imported = import_site([Settings(parse_config(text.encode(), "x.cfg"), ["eth1"], [])])
    assert [f.path for f in imported.findings if "two-step" in f.reason] == ["time_stamping onestep"]


def test_the_common_service_goes_over_and_back() -> None:
    site = site_of("[global]\nnetwork_transport L2\ndelay_mechanism COMMON_P2P\nlogMinPdelayReqInterval 1\n")
    port = site.instances[0].options.ports[0]
    assert (port.delay_mechanism, port.log_min_pdelay_req_interval) == ("COMMON_P2P", 1)
    (exported,) = export_site(site)
    assert "delay_mechanism" in exported.text
    assert "COMMON_P2P" in exported.text
    assert any("CMLDS" in remark for remark in exported.remarks)


def test_a_transparent_clock_with_a_wrong_identity_is_refused_with_its_line() -> None:
    text = "[global]\nclock_type E2E_TC\nclockIdentity nonsense\n"
    _, imported = import_site([Settings(parse_config(text.encode(), "x.cfg"), ["eth1", "eth2"], [])])
    assert [(f.path, f.line) for f in imported.refused] == [("clockIdentity nonsense", 3)]


def test_what_linuxptp_cannot_be_told_is_listed_for_every_table() -> None:
    site = loads(
        '[[clock]]\nname = "c"\ntype = "phc"\ndevice = "/dev/ptp0"\non_foreign_change = "yield"\n'
        '[[instance]]\nclock = "c"\nmanagement = { network = false }\n'
        '[[instance.port]]\ninterface = "eth1"\nlimit_announce = 5\nunicast = { serve = true, max_clients = 3 }\n'
        '[[transparent]]\nname = "tc"\nsyntonise = false\nport = [{ interface = "eth2" }, { interface = "eth3" }]\n'
    )
    instance, transparent = export_site(site)
    said = {remark.partition(" ")[0] for remark in instance.remarks}
    assert {"clock.on_foreign_change", "management.network", "port.limit_announce", "unicast.max_clients"} <= said
    assert transparent.remarks == ("transparent.syntonise = False",)
