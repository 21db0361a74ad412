"""What a running grandmaster keeps out of its memory and its start."""

from __future__ import annotations

import subprocess
import sys

import pytest

#: heavy, and for other commands, for mistakes or for options that are off
UNNEEDED = (
    *("numpy", "rich", "pyroute2", "netifaces", "scapy", "asyncio", "logging", "multiprocessing", "unittest"),
    *("importlib.resources", "tempfile", "shutil", "statistics", "decimal", "fractions", "difflib", "platform"),
    *("subprocess", "concurrent", "http", "email", "xml"),
    *("ptpstack.lab", "ptpstack.sim", "ptpstack.cli.status", "ptpstack.cli.lab", "ptpstack.wire.capture"),
    "ptpstack.wire.management.rows",
    *("ptpstack.protocol.transparent", "ptpstack.protocol.unicast_service", "ptpstack.protocol.unicast_discovery"),
    *("ptpstack.protocol.delay_p2p", "ptpstack.protocol.delay_auto", "ptpstack.protocol.alternate_master"),
    *("ptpstack.protocol.interval_requests", "ptpstack.protocol.slave_monitoring", "ptpstack.protocol.sync_metadata"),
    *("ptpstack.net.bridge", "ptpstack.config.difference", "ptpstack.engine.explain"),
)


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    # -S: what the interpreter's own site packages bring along is not ours
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}; import ptpstack.cli.main, ptpstack.cli.run, ptpstack.node.run; "
        "from ptpstack.config.load import site_for_roles; site_for_roles('gm', ['eth0']); "
        "print(*sys.modules)"
    )
    result = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_the_node_is_loaded(loaded: set[str]) -> None:
    assert {"ptpstack.node.run", "ptpstack.engine.engine", "ptpstack.net.udp4"} <= loaded


@pytest.mark.parametrize("module", UNNEEDED)
def test_not_loaded(loaded: set[str], module: str) -> None:
    assert module not in loaded
