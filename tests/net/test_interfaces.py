"""The report on interfaces and its command, inside a namespace whose interfaces are known."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ptpstack.cli import interfaces as command
from ptpstack.net.abilities import Abilities, HardwareConfig
from ptpstack.net.interfaces import InterfaceReport, TransportAdvice, interface_names, report, report_all
from tests.netns import Namespace, namespaces, veth

pytestmark = pytest.mark.namespaces

ROOT = Path(__file__).resolve().parents[2]
DRIVER = "import argparse, sys; from ptpstack.cli import interfaces as c; p = argparse.ArgumentParser(); c.add_parser(p.add_subparsers()); a = p.parse_args(['interfaces', *sys.argv[1:]]); sys.exit(a.func(a))"  # noqa: E501


@pytest.fixture
def host() -> Iterator[Namespace]:
    with namespaces("a", "b") as ns:
        veth(ns["a"], "va", ns["b"], "vb", "10.9.0.1/24")
        veth(ns["a"], "bare", ns["b"], "bareb", wait=False)
        ns["a"].ip("address add 2001:db8::5/64 dev va nodad")
        ns["a"].ip("address add 10.9.0.3/24 dev va")
        yield ns["a"]


def run(namespace: Namespace, *arguments: str) -> tuple[int, str, str]:
    done = namespace.run(
        "env", f"PYTHONPATH={ROOT}", sys.executable, "-B", "-c", DRIVER, *arguments, sysfs=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_the_report_of_a_virtual_cable(host: Namespace) -> None:
    with host.entered():
        assert set(interface_names()) == {"lo", "va", "bare"}
        va, bare, lo = report("va"), report("bare"), report("lo")
    assert va.link == "up"
    assert va.ipv4 == ["10.9.0.1", "10.9.0.3"]
    assert va.ipv6 == ["2001:db8::5"]
    assert va.driver == "veth"
    assert va.mac in host.ip("link show va")
    assert va.mtu == 1500
    assert (va.software_stamps, va.hardware_stamps, va.phc_index) == (True, False, None)
    assert [(a.transport, a.stamping) for a in va.advice] == [
        ("udp4", "software"),
        ("udp6", "software"),
        ("l2", "software"),
    ]
    assert [(a.transport, a.stamping) for a in bare.advice] == [("udp4", ""), ("udp6", ""), ("l2", "software")]
    assert "no IPv4 address" in bare.advice[0].reason
    assert "no IPv6 address" in bare.advice[1].reason
    assert [a.stamping for a in lo.advice] == ["", "", ""]


def test_link_states(host: Namespace) -> None:
    with host.entered():
        host.ip("link set bare down")
        assert report("bare").link == "off"
        assert {r.name: r.link for r in report_all()}["va"] == "up"


def _run_as_nobody() -> tuple[int, str]:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresuid(65534, 65534, 65534)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = command.run(argparse.Namespace(names=["va"], json=True))
    return code, out.getvalue()


def test_the_command_unprivileged_and_for_programs(host: Namespace) -> None:
    code, out = host.call(_run_as_nobody)
    assert code == 0
    (entry,) = json.loads(out)
    assert entry["name"] == "va"
    assert entry["ipv4"] == ["10.9.0.1", "10.9.0.3"]
    assert entry["advice"][0]["reason"]


def test_the_command_for_people(host: Namespace) -> None:
    host.ip("link add br0 type bridge")
    host.ip("link set bare master br0")
    code, out, err = run(host)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["NAME", "LINK", "ADDRESSES", "MAC", "STAMPS", "PHC", "DRIVER"]
    assert any(line.startswith("va ") and "10.9.0.1 10.9.0.3 2001:db8::5" in line for line in lines)
    assert any(line.startswith("bare ") and "in br0" in line for line in lines)
    assert any("va" in line and "udp4" in line and "software stamps" in line for line in lines)


def test_an_unknown_interface_is_named_and_the_others_shown(host: Namespace) -> None:
    code, out, err = run(host, "nix0", "va")
    assert code == 1
    assert "nix0: there is no such interface" in err
    assert "Errno" not in err
    assert any(line.startswith("va ") for line in out.splitlines())


def test_sysfs_of_another_namespace_is_not_believed(host: Namespace) -> None:
    """/sys here shows the host's interfaces; a namesake in the namespace must not inherit its bridge."""
    with host.entered():
        assert report("va").master == ""
        assert os.path.exists("/sys/class/net/lo")


def test_hardware_is_rendered() -> None:
    able = Abilities(0x5F, 2, 3, 1 << 12)
    entry = InterfaceReport(
        "eth1",
        7,
        "up",
        "02:00:00:00:00:01",
        1500,
        "igc",
        transmit=able.tx_names(),
        receive_filters=able.filter_names(),
        hardware_stamps=able.hardware,
        software_stamps=able.software,
        present_setting=command_setting(HardwareConfig(1, 12)),
        phc_index=2,
        phc_name="igc-0000:01:00.0",
        vlan=7,
        lower=["eth0"],
        advice=[TransportAdvice("l2", "hardware", "hardware stamps of PHC 2")],
    )
    text = "\n".join(command.render([entry]))
    for part in ("hw+sw", "ptp2 igc-0000:01:00.0", "on eth0", "vlan 7", "on, ptpv2-event", "hardware stamps of PHC 2"):
        assert part in text
    assert command.render([]) == []


def command_setting(config: HardwareConfig) -> str:
    from ptpstack.net.interfaces import _setting

    return _setting(config)
