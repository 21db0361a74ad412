"""Small topologies for tests, and what it takes to run them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ptpstack.lab.privilege import can_make_namespaces

FAKE_NODE = (sys.executable, str(Path(__file__).with_name("fake_node.py")))

needs_namespaces = pytest.mark.skipif(not can_make_namespaces(), reason="needs CAP_SYS_ADMIN and CAP_NET_ADMIN (root)")


def host(name: str, to: str = "sw") -> str:
    return f'[[host]]\nname = "{name}"\n[[host.link]]\ninterface = "eth0"\nto = "{to}"\n'


def fake(name: str, settings: str, test: str = "") -> str:
    """A host with a fake node. ``settings`` go into its instance, ``test`` into the site's [test]."""
    site = f'[[node.site.instance]]\nname = "ptp"\nport = [{{ interface = "eth0" }}]\n{settings}\n'
    misbehaviour = f"[node.site.test]\n{test}\n" if test else ""
    return f'{host(name)}[[node]]\nhost = "{name}"\n{misbehaviour}{site}'


def bed(*parts: str, duration: float = 2.0, settle: float = 0.0) -> str:
    head = f'name = "bed"\nduration_s = {duration}\nsettle_s = {settle}\n[[switch]]\nname = "sw"\n'
    return head + "\n".join(parts)


def event(at: float, do: str, node: str, extra: str = "") -> str:
    return f'[[event]]\nat_s = {at}\ndo = "{do}"\nnode = "{node}"\n{extra}\n'
