"""Write docs/conformance.md: which requirement of the catalogue which tests hold. ``--check`` only compares (exit 1).

A test belongs to a row by its name: ``test_BMC_13_...`` or, for several rows, ``test_HDR_10_and_11_...``. Names are
read from the sources, so that nothing has to be imported or run. A row without a test needs a reason in
tests/conformance_gaps.toml; a row with a test may have one for the part that is not tested.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "conformance.md"
_NAME = re.compile(r"test_([A-Z][A-Z0-9]*)_(\d\d(?:_and_\d\d)*)(?:_|$)")


class Row(NamedTuple):
    id: str
    clause: str
    requirement: str


def catalogue(path: Path = ROOT / "tests" / "conformance_catalogue.toml") -> dict[str, tuple[str, list[Row]]]:
    """Group -> (title, rows)."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    return {group: (entry["title"], [Row(*row) for row in entry["rows"]]) for group, entry in data.items()}


def gaps(path: Path = ROOT / "tests" / "conformance_gaps.toml") -> dict[str, str]:
    """Row -> why it is not tested, or not in full."""
    reasons: dict[str, str] = {}
    for group in tomllib.loads(path.read_text(encoding="utf-8"))["gap"]:
        for row in group["rows"]:
            if row in reasons:
                raise ValueError(f"{path.name}: {row} is listed twice")
            reasons[row] = group["reason"]
    return reasons


def rows_of(name: str) -> list[str]:
    """The rows a test's name claims: ``test_HDR_10_and_11_x`` -> HDR-10, HDR-11."""
    match = _NAME.match(name)
    return [] if match is None else [f"{match[1]}-{number}" for number in match[2].split("_and_")]


def tested_rows() -> dict[str, set[str]]:
    """Row -> the test files that hold it."""
    folder = ROOT / "tests"
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for row in rows_of(node.name):
                    found.setdefault(row, set()).add(path.relative_to(folder).as_posix())
    return found


def problems() -> list[str]:
    """What is wrong with catalogue, gaps and names: empty when every row is tested or explained."""
    rows = {row.id for _, group in catalogue().values() for row in group}
    tested, reasons = tested_rows(), gaps()
    return (
        [
            f"{row}: neither tested nor listed in conformance_gaps.toml"
            for row in sorted(rows - set(tested) - set(reasons))
        ]
        + [f"{row}: in conformance_gaps.toml but not in the catalogue" for row in sorted(set(reasons) - rows)]
        + [
            f"{row}: a test is named after it, the catalogue has no such row ({', '.join(sorted(tested[row]))})"
            for row in sorted(set(tested) - rows)
            if row.split("-")[0] in catalogue()
        ]
    )


def report() -> str:
    tested, reasons = tested_rows(), gaps()
    groups = catalogue()
    parts = [
        "# Conformance\n\n"
        "The requirements of IEEE 1588-2019 (and of its default profile) that concern the stateful core and the codec, "
        "in our own\nwords, and the tests that hold them. Written by `tools/conformance_report.py` from the names of "
        "the tests;\na test holds that it is in step. **No row was compared with the text of the standard**: this is a "
        "list of what is\ntested, not a claim of conformance.\n\n"
        "| group | rows | tested | in part | not done |\n|---|---|---|---|---|\n"
    ]
    for group, (title, rows) in groups.items():
        whole = sum(r.id in tested and r.id not in reasons for r in rows)
        part = sum(r.id in tested and r.id in reasons for r in rows)
        parts.append(f"| {group}: {title} | {len(rows)} | {whole} | {part} | {len(rows) - whole - part} |\n")
    for title, rows in groups.values():
        parts.append(f"\n## {title}\n\n| row | clause | requirement | held by | left open |\n|---|---|---|---|---|\n")
        for row in rows:
            files = ", ".join(f"`{name}`" for name in sorted(tested.get(row.id, ())))
            requirement = row.requirement.replace("|", "\\|")
            parts.append(f"| {row.id} | {row.clause} | {requirement} | {files} | {reasons.get(row.id, '')} |\n")
    return "".join(parts)


def main(arguments: list[str]) -> int:
    check = arguments == ["--check"]
    if arguments and not check:
        print("usage: conformance_report.py [--check]", file=sys.stderr)
        return 2
    found = problems()
    text = report()
    if not check:
        DOCUMENT.write_text(text, encoding="utf-8")
    elif not DOCUMENT.is_file() or DOCUMENT.read_text(encoding="utf-8") != text:
        found.append("docs/conformance.md is not what the tests say: run tools/conformance_report.py")
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
