"""A node's site as the lab hands it over: the file's content plus a control socket in the run directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ptpstack.config.findings import ERROR
from ptpstack.config.load import parse_site
from ptpstack.config.profiles import is_path
from ptpstack.lab.errors import Problem
from ptpstack.lab.reader import read_document
from ptpstack.lab.topology import Node, Topology


def site_for(node: Node, control: Path, directory: str = ".") -> dict[str, Any]:
    """The site as a table: ``[node].control`` is the lab's, ``[node].name`` is the label unless the site has one.

    Profiles given as relative paths (from the site file, or from ``directory`` for a site inside the topology) become
    absolute: the copy that the node reads lies elsewhere.
    """
    if isinstance(node.site, Mapping):
        site = dict(node.site)
        base = Path(directory)
    else:
        base = Path(str(node.site)).parent
        site = read_document(str(node.site))
    site["node"] = {"name": node.label, **site.get("node", {}), "control": str(control)}
    instances = site.get("instance", [])
    site["instance"] = [_absolute(entry, base) if isinstance(entry, Mapping) else entry for entry in instances]
    return site


def _absolute(instance: Mapping[str, Any], base: Path) -> dict[str, Any]:
    profile = instance.get("profile")
    if not isinstance(profile, str) or not is_path(profile):
        return dict(instance)
    return {**instance, "profile": str(base.joinpath(profile).resolve())}


def site_problems(topology: Topology) -> list[Problem]:
    """What the node would say of its site, said before anything is started. Only errors; paths begin at the node."""
    found = []
    for index, node in enumerate(topology.nodes):
        if node.kind == "ptpstack":
            text = to_toml(site_for(node, Path("/run/ptpstack-lab/control.sock"), topology.directory))
            for finding in parse_site(text)[1]:
                if finding.severity == ERROR:
                    path = f"node[{index}].site.{finding.path}" if finding.path else f"node[{index}].site"
                    found.append(Problem(path, finding.reason, finding.fix))
    return found


def to_toml(document: Mapping[str, Any]) -> str:
    """TOML of tables, lists of tables, and scalars: what a site file holds."""
    lines: list[str] = []
    _write(document, "", lines)
    return "\n".join(lines) + "\n"


def _write(table: Mapping[str, Any], path: str, lines: list[str]) -> None:
    nested = {}
    for key, value in table.items():
        if isinstance(value, Mapping) or (isinstance(value, list) and value and isinstance(value[0], Mapping)):
            nested[key] = value
        else:
            lines.append(f"{_key(key)} = {_value(value)}")
    for key, value in nested.items():
        inner = f"{path}.{_key(key)}" if path else _key(key)
        for entry in value if isinstance(value, list) else [value]:
            lines += ["", f"[[{inner}]]" if isinstance(value, list) else f"[{inner}]"]
            _write(entry, inner, lines)


def _key(key: str) -> str:
    bare = key.replace("-", "").replace("_", "").isalnum() and key.isascii()
    return key if bare else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's escapes are a part of TOML's, save DEL, which TOML wants escaped
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + "}"
    return str(value)
