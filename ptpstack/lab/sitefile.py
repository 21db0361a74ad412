"""A node's site as the lab hands it over: the file's content plus a control socket in the run directory."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ptpstack.lab.topology import Node


def site_for(node: Node, control: Path) -> dict[str, Any]:
    """The site as a table: ``[node].control`` is the lab's, ``[node].name`` is the label unless the site has one."""
    if isinstance(node.site, Mapping):
        site = dict(node.site)
    else:
        site = tomllib.loads(Path(str(node.site)).read_text(encoding="utf-8"))
    site["node"] = {"name": node.label, **site.get("node", {}), "control": str(control)}
    return site


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
