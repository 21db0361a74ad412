"""Writes the reference of every key: ``python -m ptpstack.config.reference > docs/configuration.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from ptpstack.config.dump import dump_document
from ptpstack.config.schema import (
    ACCURACY,
    BOOLEAN,
    CHOICE,
    IDENTITY,
    INTEGER,
    NAMES,
    NUMBER,
    SITE,
    SOURCES,
    TIME_SOURCE,
    Field,
    Table,
)
from ptpstack.config.validate import describe_range

_HEAD = """\
# Configuration reference

Made from `ptpstack/config/schema.py` by `python -m ptpstack.config.reference`; do not edit by hand.

A site file is TOML. Everything is optional except one `[[instance]]` with one `[[instance.port]]`:

```toml
[[instance]]
[[instance.port]]
interface = "eth1"
```

`ptpstack check site.toml` tells everything that is wrong with a file, with line, reason and fix; `--print-effective`
writes it back with every default filled in. Keys marked *profile* take default and range from the instance's profile
(`ptpstack profiles`); given here are the default of a profile that is silent, and the widest range.
"""

_TYPES = {
    INTEGER: "integer",
    NUMBER: "number",
    BOOLEAN: "true, false",
    ACCURACY: "text or code",
    TIME_SOURCE: "text or code",
    IDENTITY: "16 hex digits",
    NAMES: "list of names",
    SOURCES: "list of sources",
}


def _values(spec: Field) -> str:
    if spec.kind == CHOICE:
        return ", ".join(f"`{choice}`" for choice in spec.choices)
    kind = _TYPES.get(spec.kind, "text")
    if spec.low is not None or spec.high is not None:
        return f"{kind}, {describe_range(spec.low, spec.high)}"
    return kind


def _default(spec: Field) -> str:
    if spec.required:
        return "**required**"
    fixed = "" if spec.default is None else "`" + dump_document({"v": spec.default})[4:-1] + "`"
    text = spec.absent or fixed
    if spec.profiled:
        return f"*profile* ({fixed})" if not spec.absent else f"{spec.absent} ({fixed})"
    return text


def rows(table: Table) -> Iterator[str]:
    """The keys of one table, as a Markdown table."""
    yield "| Key | Values | Unit | Default | Meaning |"
    yield "| --- | --- | --- | --- | --- |"
    for spec in table.fields:
        yield f"| `{spec.name}` | {_values(spec)} | {spec.unit} | {_default(spec)} | {spec.doc} |"


def tables(table: Table, prefix: str = "") -> Iterator[str]:
    """A section for each table within ``table``: its keys, and those of the tables within it."""
    for child in table.tables:
        name = f"{prefix}{child.name}"
        header = f"[[{name}]]" if child.array else f"[{name}]"
        yield f"\n## `{header}`\n"
        yield f"{child.doc}\n"
        yield from rows(child)
        yield from tables(child, f"{name}.")


def reference() -> str:
    """The whole of docs/configuration.md."""
    return _HEAD + "\n".join(tables(SITE)) + "\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
