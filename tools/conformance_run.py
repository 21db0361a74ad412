"""Run every test that is named after a row of the conformance catalogue, and say of each row what became of it.

    python tools/conformance_run.py [--json FILE] [--quick]

``pass``: every test of the row passed. ``part``: they passed, and a part of the row is left open (with the reason).
``open``: no test, with the reason. ``fail``, ``skipped``: as pytest says. ``doubtful``: the row itself is uncertain,
because nobody here has the standard's text. Exit status 1 when a row fails.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from typing import Any

import pytest
from conformance_report import ROOT, catalogue, gaps, rows_of

_DOUBT = "[?]"


class _Outcomes:
    """A pytest plugin: only tests of rows, and what became of them."""

    def __init__(self) -> None:
        self.of_row: dict[str, Counter[str]] = {}
        self._rows: dict[str, list[str]] = {}

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        kept = []
        for item in items:
            rows = rows_of(getattr(item, "originalname", None) or item.name)
            if rows:
                self._rows[item.nodeid] = rows
                kept.append(item)
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in self._rows])
        items[:] = kept

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            for row in self._rows.get(report.nodeid, ()):
                self.of_row.setdefault(row, Counter())[report.outcome] += 1


def verdicts(outcomes: dict[str, Counter[str]]) -> list[dict[str, Any]]:
    reasons = gaps()
    rows = []
    for group, (_, entries) in catalogue().items():
        for row in entries:
            seen = outcomes.get(row.id, Counter())
            if seen["failed"]:
                verdict = "fail"
            elif seen["passed"]:
                verdict = "part" if row.id in reasons else "pass"
            else:
                verdict = "skipped" if seen else "open"
            rows.append(
                {
                    "row": row.id,
                    "group": group,
                    "clause": row.clause,
                    "requirement": row.requirement,
                    "verdict": verdict,
                    "doubtful": _DOUBT in row.requirement,
                    "reason": reasons.get(row.id, ""),
                    "tests": sum(seen.values()),
                }
            )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", metavar="FILE", help="every row, as JSON (- for standard output)")
    parser.add_argument("--quick", action="store_true", help="leave out what needs namespaces and foreign programs")
    options = parser.parse_args()
    marks = "not hardware" + (" and not namespaces and not interop" if options.quick else "")
    outcomes = _Outcomes()
    pytest.main(["-q", "--no-header", "-m", marks, str(ROOT / "tests")], plugins=[outcomes])
    rows = verdicts(outcomes.of_row)
    groups: dict[str, Counter[str]] = {}
    for row in rows:
        groups.setdefault(row["group"], Counter())[row["verdict"]] += 1
        if row["verdict"] in ("fail", "skipped", "open", "part") or row["doubtful"]:
            doubt = ", doubtful" if row["doubtful"] else ""
            print(
                f"{row['row']:8} {row['verdict']}{doubt}: {row['requirement']}"
                + (f"; {row['reason']}" if row["reason"] else "")
            )
    names = ("pass", "part", "open", "skipped", "fail")
    print(f"\n{'group':6}" + "".join(f"{name:>9}" for name in names))
    for group, count in groups.items():
        print(f"{group:6}" + "".join(f"{count[name]:>9}" for name in names))
    total = sum(groups.values(), Counter())
    print(f"{'all':6}" + "".join(f"{total[name]:>9}" for name in names))
    held = total["pass"] + total["part"]
    print(f"{held} of {len(rows)} rows are held by tests that pass ({total['pass'] / len(rows):.1%} in whole)")
    if options.json:
        text = json.dumps(rows, indent=1)
        if options.json == "-":
            print(text)
        else:
            with open(options.json, "w", encoding="utf-8") as file:
                file.write(text + "\n")
    return 1 if total["fail"] else 0


if __name__ == "__main__":
    sys.exit(main())
