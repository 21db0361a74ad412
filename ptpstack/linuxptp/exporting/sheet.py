"""A file of linuxptp in the making: its defaults are not written, what ports have in common stands in [global]."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ptpstack.linuxptp.keys import GLOBAL, keys


class Sheet:
    def __init__(self, ports: Iterable[str]) -> None:
        self.ports = tuple(ports)
        self.remarks: list[str] = []
        self.options: list[str] = []
        self._common: dict[str, str] = {}
        self._own: dict[str, dict[str, str]] = {}
        self._tables: list[str] = []

    def put(self, key: str, text: str | None, *, named: bool = False) -> None:
        """A line of [global]; ``named``: also when it is the default."""
        if text is not None and (named or keys()[key].parse(text) != keys()[key].default):
            self._common[key] = text

    def put_ports(self, key: str, texts: Mapping[str, str | None], *, named: bool = False) -> None:
        """What each port has; None is linuxptp's default."""
        given = {port: text for port, text in texts.items() if text is not None}
        common = next(iter(given.values()), None)
        alike = len(set(given.values())) == 1
        if alike and (len(given) == len(self.ports) or keys()[key].scope == GLOBAL):
            self.put(key, common, named=named)
        elif keys()[key].scope == GLOBAL:
            if given:
                self.remark(f"{key}: ports differ, and linuxptp has one for all: that of the first port is written")
                self.put(key, common)
        else:
            spec = keys()[key]
            self._own[key] = {port: text for port, text in given.items() if spec.parse(text) != spec.default}

    def table(self, lines: list[str]) -> int:
        """A unicast table; its table_id."""
        number = len(self._tables) + 1
        self._tables.append("\n".join(["[unicast_master_table]", f"table_id {number}", *lines]))
        return number

    def remark(self, text: str) -> None:
        """Something that linuxptp cannot be told."""
        if text not in self.remarks:
            self.remarks.append(text)

    @property
    def text(self) -> str:
        parts = ["\n".join(["[global]", *(f"{key} {text}" for key, text in sorted(self._common.items()))])]
        parts += self._tables
        for port in self.ports:
            lines = [f"{key} {texts[port]}" for key, texts in sorted(self._own.items()) if port in texts]
            parts.append("\n".join([f"[{port}]", *lines]))
        return "\n\n".join(parts) + "\n"


def ports_of(instance: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Interface -> keys, ``unicast`` among them."""
    return {port["interface"]: port for port in instance["port"]}
