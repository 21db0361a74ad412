"""What a dataField is made of: fields, bits of a flags octet, reserved octets, counted lists; and one row of the table.

A decoded dataField is a dictionary by field name. Flags are flat in it: each bit is a boolean under its own name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.management.kinds import Kind, Number, too_short
from ptpstack.wire.values import flag_names

Values = Mapping[str, Any]


class Item:
    """``size`` in octets, None when it depends on the values. ``names``: the keys it has in the dictionary."""

    size: int | None = 0
    names: tuple[str, ...] = ()

    def read(self, octets: bytes, at: int, into: dict[str, Any]) -> int:
        """Puts what it finds into the dictionary; where it ends."""
        raise NotImplementedError

    def write(self, values: Values) -> bytes:
        """KeyError for a missing value, ValueError for one that does not fit."""
        raise NotImplementedError

    def rows(self, values: Values) -> list[tuple[str, str]]:
        """Label and text, as ``pmc`` shows them."""
        return []

    def parse(self, name: str, text: str) -> Any:
        """A value from its text."""
        raise NotImplementedError

    def json(self, values: Values) -> dict[str, Any]:
        return {}


class Field(Item):
    """One value. ``label``: how ``pmc`` calls it where that is not the standard's name of today."""

    def __init__(self, name: str, kind: Kind, label: str = "") -> None:
        self.name, self.kind, self.label = name, kind, label or name
        self.names = (name,)
        self.size = kind.size

    def read(self, octets: bytes, at: int, into: dict[str, Any]) -> int:
        into[self.name], at = self.kind.read(octets, at)
        return at

    def write(self, values: Values) -> bytes:
        return self.kind.write(self.name, values[self.name])

    def rows(self, values: Values) -> list[tuple[str, str]]:
        return [(self.label, self.kind.text(values[self.name]))]

    def parse(self, name: str, text: str) -> Any:
        return self.kind.parse(text)

    def json(self, values: Values) -> dict[str, Any]:
        return {self.name: self.kind.json(values[self.name])}


class Bits(Item):
    """Flags: one boolean for each name. Bits without a name are ignored when read and 0 when written."""

    def __init__(
        self,
        bits: Mapping[str, int],
        *,
        name: str = "flags",
        size: int = 1,
        order: str = "big",
        words: tuple[str, str] = ("0", "1"),
    ) -> None:
        self.name, self.size, self.words = name, size, words
        self.names = tuple(bits)
        self._bits = dict(bits)
        self._number = Number(size, order=order)

    def read(self, octets: bytes, at: int, into: dict[str, Any]) -> int:
        raw, at = self._number.read(octets, at)
        into.update((name, bool(raw & mask)) for name, mask in self._bits.items())
        into[f"{self.name} raw"] = raw
        return at

    def write(self, values: Values) -> bytes:
        return self._number.write(self.name, sum(mask for name, mask in self._bits.items() if values[name]))

    def rows(self, values: Values) -> list[tuple[str, str]]:
        return [(name, self.words[bool(values[name])]) for name in self._bits]

    def parse(self, name: str, text: str) -> Any:
        known = {"0": False, "1": True, "off": False, "on": True, "false": False, "true": True}
        if text.lower() not in known:
            raise ValueError(f"{text!r} is neither {self.words[0]} nor {self.words[1]}")
        return known[text.lower()]

    def json(self, values: Values) -> dict[str, Any]:
        raw = values[f"{self.name} raw"]
        return {self.name: {"raw": raw, "set": flag_names(raw, {mask: name for name, mask in self._bits.items()})}}


class Reserved(Item):
    """Octets that are ignored when read and 0 when written."""

    def __init__(self, size: int = 1) -> None:
        self._octets = self.size = size

    def read(self, octets: bytes, at: int, into: dict[str, Any]) -> int:
        end = at + self._octets
        if end > len(octets):
            raise too_short(octets, end)
        return end

    def write(self, values: Values) -> bytes:
        return bytes(self._octets)


class Table(Item):
    """A list of records (``items`` of each), a tuple of dictionaries under ``name``.

    ``count`` says how many there are: a number before them, called ``count_name``; None: as many as fit.
    ``length``: each record begins with the number of its octets (FaultRecord), which is not trusted: readings differ on
    whether it counts itself.
    """

    size = None

    def __init__(
        self,
        name: str,
        items: tuple[Item, ...],
        count: Number | None = None,
        count_name: str = "actualTableSize",
        length: Number | None = None,
    ) -> None:
        self.name, self._items, self._count, self._count_name, self._length = name, items, count, count_name, length
        self.names = (name,)

    def read(self, octets: bytes, at: int, into: dict[str, Any]) -> int:
        found: list[dict[str, Any]] = []
        wanted: int | None = None
        if self._count is not None:
            wanted, at = self._count.read(octets, at)
        while len(found) < wanted if wanted is not None else at < len(octets):
            if self._length is not None:
                _, at = self._length.read(octets, at)
            record: dict[str, Any] = {}
            for item in self._items:
                at = item.read(octets, at, record)
            found.append(record)
        into[self.name] = tuple(found)
        return at

    def write(self, values: Values) -> bytes:
        records = values[self.name]
        parts = [self._count.write(self._count_name, len(records))] if self._count is not None else []
        for record in records:
            octets = b"".join(item.write(record) for item in self._items)
            if self._length is not None:
                parts.append(self._length.write("length", len(octets)))
            parts.append(octets)
        return b"".join(parts)

    def rows(self, values: Values) -> list[tuple[str, str]]:
        records = values[self.name]
        rows = [(self._count_name, str(len(records)))] if self._count is not None else []
        for number, record in enumerate(records, 1):
            for item in self._items:
                rows += [(f"{label}[{number}]", text) for label, text in item.rows(record)]
        return rows

    def parse(self, name: str, text: str) -> Any:
        """Records apart by commas, the fields of each by slashes; ``-``: none."""
        if text == "-":
            return ()
        names = [(item, field) for item in self._items for field in item.names]
        records = []
        for part in text.split(","):
            words = part.split("/")
            if len(words) != len(names):
                raise ValueError(f"{part!r} is not {'/'.join(field for _, field in names)}")
            records.append({f: item.parse(f, word) for (item, f), word in zip(names, words, strict=True)})
        return tuple(records)

    def json(self, values: Values) -> dict[str, Any]:
        rows = [{k: v for item in self._items for k, v in item.json(r).items()} for r in values[self.name]]
        return {self.name: rows}


class ManagementId(NamedTuple):
    """One row of the table. ``port``: it concerns one port, else the whole clock. ``actions``: letters of G, S, X
    (GET, SET, COMMAND) that the standard, or linuxptp for its own, gives it.
    """

    number: int
    name: str
    port: bool
    actions: str
    items: tuple[Item, ...]

    @property
    def size(self) -> int | None:
        """Octets of dataField; None: it depends."""
        sizes = [item.size for item in self.items]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(name for item in self.items for name in item.names)

    def item_of(self, name: str) -> Item:
        """The item that has this field; KeyError when there is none."""
        for item in self.items:
            if name in item.names:
                return item
        raise KeyError(name)

    def decode(self, data: bytes) -> dict[str, Any]:
        """Values by field name; MalformedFrame when ``data`` does not hold exactly them (and a pad octet)."""
        values, end = self.decode_prefix(data)
        if len(data) - end > (1 if end & 1 else 0):
            raise MalformedFrame(end, "management-data", f"{self.name} has {end} octets of data, here are {len(data)}")
        return values

    def decode_prefix(self, data: bytes) -> tuple[dict[str, Any], int]:
        """The same, whatever follows; and where they end."""
        values: dict[str, Any] = {}
        at = 0
        for item in self.items:
            at = item.read(data, at, values)
        return values, at

    def encode(self, values: Values) -> bytes:
        """The dataField, padded to an even length. ValueError names the field that is missing or does not fit."""
        try:
            octets = b"".join(item.write(values) for item in self.items)
        except KeyError as error:
            raise ValueError(f"{self.name}: {error.args[0]} is missing") from error
        return octets + b"\0" * (len(octets) & 1)

    def rows(self, values: Values) -> list[tuple[str, str]]:
        return [row for item in self.items for row in item.rows(values)]

    def json(self, values: Values) -> dict[str, Any]:
        return {key: value for item in self.items for key, value in item.json(values).items()}
