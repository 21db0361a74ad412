"""Rows as a table for people and as JSON."""

from __future__ import annotations

import os
import platform
from typing import Any

from ptpstack import __version__
from tools.bench.measures import Row


def as_dict(rows: list[Row], about: dict[str, Any]) -> dict[str, Any]:
    return {
        "about": {
            "ptpstack": __version__,
            "python": platform.python_version(),
            "kernel": platform.release(),
            "cores": os.cpu_count(),
            **about,
        },
        "rows": [
            {
                "name": row.name,
                "unit": row.unit,
                "medians": {subject: row.median(subject) for subject in row.values},
                "rounds": row.values,
                "ratio": row.ratio,
                "target": row.target,
                "target_is_ratio": row.target_is_ratio,
                "met": row.met,
                "detail": row.detail,
            }
            for row in rows
        ],
    }


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def table(rows: list[Row]) -> str:
    """Medians and [lowest .. highest] of all rounds; ratio = ptpstack / ptp4l, lower is better everywhere."""
    cells = [["what", "unit", "ptpstack", "ptp4l", "ratio", "target", ""]]
    for row in rows:
        line = [row.name, row.unit]
        for subject in ("ptpstack", "ptp4l"):
            values = row.values.get(subject, [])
            spread = f" [{_number(min(values))} .. {_number(max(values))}]" if len(values) > 1 else ""
            line.append(_number(row.median(subject)) + spread)
        line.append(_number(row.ratio))
        target = "" if row.target is None else f"<= {row.target:g}{' x' if row.target_is_ratio else ''}"
        line += [target, "" if row.met is None else "met" if row.met else "MISSED"]
        cells.append(line)
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )
