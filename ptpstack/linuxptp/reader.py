"""The grammar of a configuration file of ptp4l, phc2sys, ts2phc or pmc: from octets to settings with their lines.

What was observed of 3.1.1 and holds here:

* ``[global]`` and ``[unicast_master_table]`` (of any case, nothing beside them on the line) are sections; whatever else
  begins with a bracket names a port: its first word, cut at 16 characters.
* A line is a key, blanks and the rest; blanks at both ends go. ``#`` begins a comment only at the begin of a line.
* There is no continuation. A line of more than 1022 octets is taken for several, and the numbers of lines shift.
* A later line wins over an earlier one of the same section. Each must be right all the same.
* In a unicast table only the first word after a key counts, and numbers are decimal.
* The first error ends the program. Here all are found.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from dataclasses import dataclass, field

from ptpstack.config.data import read_file
from ptpstack.config.findings import ERROR, ConfigError, Finding, show, suggest
from ptpstack.linuxptp.keys import GLOBAL, Key, Value, ValueRefusedError, find, keys, renamed

UNICAST = "unicast_master_table"
_LINE = 1023
_NAME = 16
_BLANK = " \t\n\v\f\r"
_SPLIT = re.compile(r"[ \t\n\v\f\r]+")
_DECIMAL = re.compile(r"[+-]?\d+")
_MAC = re.compile(r"[0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2}){5}")
_TRANSPORTS = {"l2": "l2", "udpv4": "udp4", "udpv6": "udp6"}


@dataclass(frozen=True, slots=True)
class Setting:
    """A key with its value. ``section`` is ``""`` for [global], else a port. ``spelled``: the key as it was written.

    ``line`` is None for one of the command line.
    """

    key: str
    section: str
    text: str
    value: Value
    spelled: str
    file: str
    line: int | None

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Server:
    """A line of a unicast table; ``transport`` is udp4, udp6 or l2."""

    transport: str
    address: str
    line: int
    #: as it stands in the file
    text: str = ""


@dataclass(slots=True)
class UnicastTable:
    table_id: int
    line: int
    log_query_interval: int = 0
    peer_address: str = ""
    servers: list[Server] = field(default_factory=list)


@dataclass(slots=True)
class ConfigFile:
    """One file that linuxptp would accept. ``ports``: section -> line, in the order of the file."""

    path: str
    settings: list[Setting] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)
    #: as the header has it, where that is not just the name
    headers: dict[int, str] = field(default_factory=dict)
    tables: list[UnicastTable] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def read_config(path: str | os.PathLike[str]) -> ConfigFile:
    """The file at ``path``. ConfigError with all that linuxptp would refuse, UnreadableError if it cannot be read."""
    return parse_config(read_file(path), os.fspath(path))


def parse_config(octets: bytes, path: str = "") -> ConfigFile:
    """``read_config`` of what a file holds."""
    parser = _Parser(path)
    for number, line in enumerate(_lines(octets), 1):
        parser.line(number, line)
    parser.end()
    if parser.findings:
        raise ConfigError(parser.findings, path)
    return parser.found


def _lines(octets: bytes) -> list[str]:
    """The lines as a reader with a buffer of 1024 octets sees them."""
    text = octets.decode("utf-8", "surrogateescape")
    cut: list[str] = []
    for line in text.split("\n"):
        raw = line.encode("utf-8", "surrogateescape")
        pieces = [raw[at : at + _LINE] for at in range(0, len(raw) or 1, _LINE)]
        cut += [piece.partition(b"\0")[0].decode("utf-8", "replace") for piece in pieces]
        if len(raw) and len(raw) % _LINE == 0:
            cut.append("")
    return cut


class _Parser:
    def __init__(self, path: str) -> None:
        self.found = ConfigFile(path)
        self.findings: list[Finding] = []
        self._section: str | None = None
        self._table: UnicastTable | None = None

    def refuse(self, line: int, reason: str, fix: str) -> None:
        self.findings.append(Finding(ERROR, "", reason, fix, line))

    def line(self, number: int, raw: str) -> None:
        text = raw.strip(_BLANK)
        self.found.lines.append(raw)
        if not text or text.startswith("#"):
            return
        if text.startswith("["):
            self._header(number, text)
        elif self._section is None:
            self.refuse(number, f"{show(text)} is not in a section", "begin with [global]")
        else:
            word, *rest = _SPLIT.split(text, maxsplit=1)
            if self._section == UNICAST:
                self._unicast(number, word, rest[0] if rest else "")
            else:
                self._setting(number, word, rest[0] if rest else "")

    def _header(self, number: int, text: str) -> None:
        self.end()
        name = text.casefold()
        if name == "[global]":
            self._section = ""
            return
        if name == f"[{UNICAST}]":
            self._section = UNICAST
            self._table = UnicastTable(0, number)
            return
        words = _SPLIT.split(text.replace("[", " ").replace("]", " ").strip(_BLANK))
        if not words[0]:
            self.refuse(number, "names no section", "write [global], or [eth1] for a port")
            self._section = ""
            return
        self._section = words[0][:_NAME]
        self.found.ports.setdefault(self._section, number)
        if text != f"[{self._section}]":
            self.found.headers[number] = text

    def end(self) -> None:
        """The section is over."""
        if self._table is not None and self._table.table_id:
            self.found.tables.append(self._table)
        self._table = None

    def _setting(self, number: int, word: str, rest: str) -> None:
        section = self._section or ""
        where = f"the section of port {section}" if section else "[global]"
        if not rest:
            fix = "write key, blank, value" + (", without an equals sign" if "=" in word else "")
            self.refuse(number, f"{show(word)} has no value", fix)
            return
        key = find(word)
        if key is None:
            near = suggest(word, [*keys(), *renamed()])
            fix = f"did you mean {near}?" if near else "see docs/linuxptp.md for what there is"
            self.refuse(number, f"{show(word)} is no key of linuxptp", fix)
            return
        if section and key.scope == GLOBAL:
            self.refuse(
                number, f"{word} cannot stand in {where}: it is one for all ports", "move it to the section [global]"
            )
            return
        value = self._value(number, key, rest)
        if value is not None:
            self.found.settings.append(Setting(key.name, section, rest, value, word, self.found.path, number))

    def _value(self, number: int, key: Key, text: str) -> Value | None:
        try:
            return key.parse(text)
        except ValueRefusedError as error:
            self.refuse(number, error.reason, error.fix)
            return None

    def _unicast(self, number: int, word: str, rest: str) -> None:
        table = self._table
        assert table is not None
        value = _SPLIT.split(rest)[0]
        if not value:
            self.refuse(number, f"{show(word)} has no value", "write for instance: UDPv4 192.0.2.1")
        elif word == "table_id":
            self._table_id(number, table, value)
        elif not table.table_id:
            # said once: what follows is of no table
            if table.table_id == 0:
                self.refuse(number, "a unicast table begins with its table_id", "write table_id 1 above it")
            table.table_id = -1
        elif word == "logQueryInterval" and _DECIMAL.fullmatch(value):
            table.log_query_interval = int(value[:8])
            if not -128 <= table.log_query_interval <= 127:
                self.refuse(number, f"logQueryInterval {value} is out of range", "use -128..127")
        elif word == "peer_address":
            table.peer_address = value
        else:
            self._server(number, table, word, value)

    def _table_id(self, number: int, table: UnicastTable, value: str) -> None:
        identity = int(value[:12]) if _DECIMAL.fullmatch(value) else 0
        if not 1 <= identity <= 0x7FFFFFFF:
            self.refuse(number, f"table_id {show(value)} is not 1..2147483647", "give the table a number from 1")
            table.table_id = -1
        elif any(other.table_id == identity for other in self.found.tables):
            self.refuse(number, f"table_id {identity} is taken", "give each table its own number")
            table.table_id = -1
        else:
            table.table_id = identity

    def _server(self, number: int, table: UnicastTable, word: str, value: str) -> None:
        transport = _TRANSPORTS.get(word.casefold())
        if transport is None:
            self.refuse(
                number,
                f"{show(word)} is none of table_id, logQueryInterval, peer_address, UDPv4, UDPv6, L2",
                "write one server to a line, such as: UDPv4 192.0.2.1",
            )
            return
        address = unicast_address(transport, value)
        if address is None:
            self.refuse(
                number, f"{show(value)} is no address for {word}", "write it in figures; names are not resolved"
            )
        else:
            table.servers.append(Server(transport, address, number, value))


def unicast_address(transport: str, text: str) -> str | None:
    """The address as usually written, None for what linuxptp refuses. Old forms of IPv4 (``10.1``) are taken."""
    if transport == "l2":
        return ":".join(f"{int(part, 16):02x}" for part in text.split(":")) if _MAC.fullmatch(text) else None
    try:
        if transport == "udp4":
            return socket.inet_ntoa(socket.inet_aton(text))
        return str(ipaddress.IPv6Address(text)) if "%" not in text else None
    except (OSError, ValueError):
        return None
