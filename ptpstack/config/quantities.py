"""Values that people write by name and the wire carries as a number: clockAccuracy and timeSource."""

from __future__ import annotations

import re

from ptpstack.wire.types import (
    ACCURACY_UNKNOWN,
    ACCURACY_WORSE_THAN_10_S,
    CLOCK_ACCURACY_NS,
    TimeSource,
    clock_accuracy_for,
)

_QUANTITY = re.compile(r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*(ps|ns|us|µs|μs|ms|s)\s*")
_UNIT_NS = {"ps": 1e-3, "ns": 1.0, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9}
_FINEST = min(CLOCK_ACCURACY_NS)

TIME_SOURCES: dict[str, int] = {source.name.lower().replace("_", "-"): int(source) for source in TimeSource}


def parse_accuracy(value: int | str) -> int:
    """clockAccuracy (IEEE 1588-2019 7.6.2.6) from a code or a text such as ``100 ns``, ``>10 s``, ``unknown``.

    A text between two codes gives the coarser one: never better than the truth. ValueError says what is allowed.
    """
    if isinstance(value, int):
        if _FINEST <= value <= ACCURACY_WORSE_THAN_10_S or 0x80 <= value <= ACCURACY_UNKNOWN:
            return value
        raise ValueError("a clockAccuracy code is 0x17..0x31, 0x80..0xFD (a profile's own) or 0xFE (unknown)")
    text = value.strip().lower()
    if text == "unknown":
        return ACCURACY_UNKNOWN
    if text.replace(" ", "") == ">10s":
        return ACCURACY_WORSE_THAN_10_S
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError('an accuracy is a length of time such as "100 ns", or "unknown", or a clockAccuracy code')
    # Rounded to a ten-thousandth of a picosecond: 2.5 * 1e-3 must meet the limit 2.5e-3 that it names.
    return clock_accuracy_for(round(float(match[1]) * _UNIT_NS[match[2]], 7), finest=_FINEST)


def format_accuracy(code: int) -> str | int:
    """The text that ``parse_accuracy`` reads back as ``code``; codes without a limit stay numbers."""
    if code == ACCURACY_UNKNOWN:
        return "unknown"
    if code == ACCURACY_WORSE_THAN_10_S:
        return ">10 s"
    limit = CLOCK_ACCURACY_NS.get(code)
    if limit is None:
        return code
    for unit in ("s", "ms", "us", "ns", "ps"):
        if limit >= _UNIT_NS[unit]:
            return f"{limit / _UNIT_NS[unit]:g} {unit}"
    return code


def parse_time_source(value: int | str) -> int:
    """timeSource (IEEE 1588-2019 7.6.2.8) from a name (``gnss``) or a code 0..255; ValueError lists the names."""
    if isinstance(value, int):
        if 0 <= value <= 0xFF:
            return value
        raise ValueError("a timeSource code is 0..255")
    name = value.strip().lower().replace("_", "-")
    if name in TIME_SOURCES:
        return TIME_SOURCES[name]
    raise ValueError("a time source is one of " + ", ".join(TIME_SOURCES))


def format_time_source(code: int) -> str | int:
    for name, value in TIME_SOURCES.items():
        if value == code:
            return name
    return code
