"""one_step of a port: what contradicts it is found before anything is opened."""

from __future__ import annotations

import pytest

from ptpstack.config.dump import dumps
from ptpstack.config.findings import ERROR
from ptpstack.config.load import parse_site

TWO = """
[[instance]]
name = "a"
[[instance.port]]
interface = "eth1"
one_step = "{a}"
[[instance]]
name = "b"
domain = 7
[[instance.port]]
interface = "eth1"
transport = "{transport}"
one_step = "{b}"
"""


def test_it_is_kept_and_written_back() -> None:
    site, findings = parse_site('[[instance]]\n[[instance.port]]\ninterface = "eth1"\none_step = "auto"')
    assert findings == []
    assert site.instances[0].channels[0].one_step == "auto"
    assert parse_site(dumps(site))[0] == site


@pytest.mark.parametrize("transport", ["udp4", "l2"])
def test_ports_of_one_nic_agree(transport: str) -> None:
    assert not [f for f in parse_site(TWO.format(a="yes", b="yes", transport=transport))[1] if f.severity == ERROR]
    errors = [f for f in parse_site(TWO.format(a="yes", b="no", transport=transport))[1] if f.severity == ERROR]
    assert {f.path for f in errors} == {"instance[1].port[0].one_step"}
    assert any("it is the NIC that is set" in f.fix for f in errors)


@pytest.mark.parametrize(
    ("instance", "port", "word"),
    [
        ("sdo_id = 0x100\n", "", "IEEE 802.1AS"),
        ("", 'stamping = "software"\n', "the kernel's"),
        ("", "spp = 1\n", "AUTHENTICATION"),
    ],
)
def test_what_it_cannot_be_together_with(instance: str, port: str, word: str) -> None:
    text = (
        f'[node]\nsa_file = "/etc/ptpstack/sa"\n[[instance]]\nprofile = "unrestricted"\n{instance}'
        f'[[instance.port]]\ninterface = "eth1"\none_step = "yes"\n{port}'
    )
    errors = [f for f in parse_site(text)[1] if f.severity == ERROR and f.path.endswith("one_step")]
    assert [word in f.reason for f in errors] == [True]


def test_not_inside_a_transparent_clock() -> None:
    text = '[[transparent]]\n[[transparent.port]]\ninterface = "eth0"\n[[transparent.port]]\ninterface = "eth1"\n'
    text += '[[instance]]\n[[instance.port]]\ninterface = "tc"\none_step = "auto"\n'
    errors = [f for f in parse_site(text)[1] if f.severity == ERROR and f.path.endswith("one_step")]
    assert ["by several NICs" in f.reason for f in errors] == [True]
