"""The numbers of a report, from series; pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` (0 < share <= 1) of the sorted values do not exceed (nearest rank)."""
    if not ordered:
        raise ValueError("a quantile of nothing")
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True)
class ErrorStatistics:
    """|error| in ns over ``count`` samples; ``mean_ns`` keeps the sign."""

    count: int
    mean_ns: float
    p50_ns: float
    p95_ns: float
    max_ns: float


def error_statistics(
    series: Iterable[tuple[float, float]], from_s: float = -math.inf, to_s: float = math.inf
) -> ErrorStatistics | None:
    """Over samples with from_s <= t < to_s; None when there is none."""
    errors = [error for t, error in series if from_s <= t < to_s]
    if not errors:
        return None
    ordered = sorted(abs(error) for error in errors)
    return ErrorStatistics(
        len(errors), sum(errors) / len(errors), quantile(ordered, 0.5), quantile(ordered, 0.95), ordered[-1]
    )


def runs(series: Iterable[tuple[float, T]]) -> list[tuple[float, float, T]]:
    """Consecutive equal values as (first t, t of the last sample, value).

    A sampled stretch lasts at least from its first to its last sample; where it really ended lies between two samples.
    """
    result: list[tuple[float, float, T]] = []
    for t, value in series:
        if result and result[-1][2] == value:
            result[-1] = (result[-1][0], t, value)
        else:
            result.append((t, t, value))
    return result


def share(flags: Iterable[bool]) -> tuple[float | None, int]:
    """(share of True or None when there was none, how many)."""
    values = list(flags)
    return (sum(values) / len(values) if values else None), len(values)
