"""Healthy labs with real programs: the doctor gives no warning and no error. What this machine is, may be a note."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.doctor import labs
from tests.netns import namespaces, veth

pytestmark = [pytest.mark.namespaces, pytest.mark.interop]

PTP4L = "/usr/sbin/ptp4l"


def _ptp4l(folder: Path, name: str, interface: str, settings: str) -> str:
    file = folder / f"{name}.cfg"
    file.write_text(
        f"[global]\nfree_running 1\ntime_stamping software\nuds_address {folder}/{name}.uds\n"
        f"tx_timestamp_timeout 500\nlogAnnounceInterval -1\nlogSyncInterval -2\n{settings}\n[{interface}]\n"
    )
    return f"{PTP4L} -f {file} -q"


#: domain, our interface, theirs, transport and delay mechanism as we and as linuxptp call them
NETWORKS = (
    (0, "va", "vb", "udp4", "E2E", "UDPv4"),
    (1, "vc", "vd", "l2", "P2P", "L2"),
    (2, "ve", "vf", "udp6", "E2E", "UDPv6"),
)


def test_ptp4l_serves_and_a_node_follows_in_three_networks(tmp_path: Path) -> None:
    """On the machine runs a ptpstack client; it is a good one, and what it is configured to expect is there."""
    if shutil.which(PTP4L) is None:
        pytest.skip("not installed: ptp4l (Debian: linuxptp)")
    text = f'[node]\ncontrol = "{tmp_path}/control.sock"\n[[clock]]\ntype = "simulated"\n'
    for domain, ours, _, transport, mechanism, _ in NETWORKS:
        text += f'[[instance]]\nrole = "ordinary"\nclient_only = true\ndomain = {domain}\n[[instance.port]]\n'
        text += f'interface = "{ours}"\ntransport = "{transport}"\ndelay_mechanism = "{mechanism}"\n'
    site = tmp_path / "site.toml"
    site.write_text(text)
    masters: list[subprocess.Popen[bytes]] = []
    with namespaces("m", "n") as ns:
        m, n = ns["m"], ns["n"]
        try:
            for domain, ours, theirs, _, mechanism, network in NETWORKS:
                veth(m, ours, n, theirs, f"10.0.{domain}.1/24", f"10.0.{domain}.2/24")
                for namespace, name, address in ((m, ours, 1), (n, theirs, 2)):
                    namespace.ip(f"address add fd0{domain}::{address}/64 dev {name} nodad")
                how = f"network_transport {network}\ndelay_mechanism {mechanism}\ndomainNumber {domain}"
                command = _ptp4l(tmp_path, f"gm{domain}", theirs, how)
                masters.append(n.popen(*command.split(), stdout=subprocess.DEVNULL))
            # ptp4l waits up to some seconds before it serves
            node = f"cd {labs.REPOSITORY}; {labs.PYTHON} -m ptpstack run {site} >{tmp_path}/node.log 2>&1 & sleep 3"
            answer = labs.doctor(m, f"--listen 5 --config {site}", before=node)
        finally:
            for master in masters:
                master.kill()
                master.wait()
    assert labs.troubles(answer) == []
    assert answer["exit"] == 0
    assert labs.found(answer, "node-fine", "3 instances")
    assert labs.found(answer, "clock-only-watched", "PTP on va, vc, ve"), labs.names(answer["findings"])
    for domain, ours, *_ in NETWORKS:
        assert labs.found(answer, "master-heard", f"{ours} domain {domain}|"), labs.names(answer["findings"])
        assert labs.found(answer, "stamps-come", f"{ours}|software")
    for domain, ours in ((0, "va"), (2, "ve")):
        assert labs.found(answer, "clients-heard", f"{ours} domain {domain}|"), (tmp_path / "node.log").read_text()


def test_a_node_serves_and_ptp4l_follows(tmp_path: Path) -> None:
    """The other way round: ptp4l on the machine that is looked at."""
    if shutil.which(PTP4L) is None:
        pytest.skip("not installed: ptp4l (Debian: linuxptp)")
    with namespaces("m", "n") as ns:
        m, n = ns["m"], ns["n"]
        veth(m, "va", n, "vb", "10.0.0.1/24", "10.0.0.2/24")
        node = f"-m ptpstack gm -i vb --simulated --announce 0 --sync -1 --control {tmp_path}/control.sock"
        with n.popen(
            labs.PYTHON, *node.split(), cwd=labs.REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as far:
            try:
                client = _ptp4l(tmp_path, "client", "va", "slaveOnly 1")
                answer = labs.doctor(m, "-i va --listen 5", before=f"{client} & sleep 2")
            finally:
                far.kill()
    assert labs.troubles(answer) == []
    assert answer["exit"] == 0
    assert labs.found(answer, "master-heard")
    assert labs.found(answer, "clients-heard", "this machine")
    assert labs.found(answer, "port-shared", "ptp4l")
    assert labs.found(answer, "time-agrees")


def test_a_quiet_network_is_no_fault() -> None:
    with namespaces("m", "n") as ns:
        veth(ns["m"], "va", ns["n"], "vb", "10.0.0.1/24", "10.0.0.2/24")
        answer = labs.doctor(ns["m"], "-i va --listen 1")
    assert labs.troubles(answer) == []
    assert labs.found(answer, "no-ptp-heard")
    assert labs.found(answer, "ports-free")
    assert labs.found(answer, "no-time-programs")
