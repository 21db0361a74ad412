"""Conversions of one value, both ways: the words of ``as`` in ``keys.toml`` that need nothing but the value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ptpstack.config.quantities import format_accuracy, parse_accuracy
from ptpstack.linuxptp.keys import Value
from ptpstack.wire.types import format_clock_identity, parse_clock_identity


class NotOursError(ValueError):
    """ptpstack has no such value: the message says why."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """``ours`` gets the value and its text; ``theirs`` makes the text of a line. None: the value needs no line."""

    ours: Callable[[Value, str], Any]
    theirs: Callable[[Any], str | None]


def _same(value: Value, text: str) -> Value:
    return value


def _number(value: Any) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def seconds_to_ns(value: Value, text: str) -> float:
    """Exact in decimal, so that a round trip is."""
    if not math.isfinite(float(value)):
        raise NotOursError("it is not a number")
    try:
        return float(Decimal(text).scaleb(9))
    except ArithmeticError:
        return float(value) * 1e9


def ns_to_seconds(value: Any) -> str:
    return format(Decimal(repr(float(value))).scaleb(-9).normalize(), "f")


def _identity(value: Value, text: str) -> str | None:
    try:
        identity = parse_clock_identity(text)
    except ValueError:
        raise NotOursError("it is not a clockIdentity, such as 001b21.fffe.aabbcc") from None
    return format_clock_identity(identity) if any(identity) else None


def _accuracy(value: Value, text: str) -> str | int:
    try:
        return format_accuracy(parse_accuracy(int(value)))
    except ValueError as error:
        raise NotOursError(str(error)) from None


_LEVELS = ("error",) * 4 + ("warning", "info", "info", "debug")
_LEVEL_NUMBERS = {"error": "3", "warning": "4", "info": "6", "debug": "7"}
_MECHANISMS = {"E2E": "E2E", "P2P": "P2P", "Auto": "AUTO", "COMMON_P2P": "COMMON_P2P"}
_TRANSPORTS = {"UDPv4": "udp4", "UDPv6": "udp6", "L2": "l2"}


def _mechanism(value: Value, text: str) -> str:
    if value not in _MECHANISMS:
        raise NotOursError("a port without a delay mechanism is not built")
    return _MECHANISMS[str(value)]


def _max_frequency(value: Value, text: str) -> float:
    return 0.0 if float(value) >= 900e6 else float(value)


SIMPLE: Mapping[str, Conversion] = {
    "same": Conversion(_same, lambda v: v if isinstance(v, str) else _number(v)),
    "flag": Conversion(lambda value, text: bool(value), lambda v: str(int(v))),
    "seconds": Conversion(seconds_to_ns, ns_to_seconds),
    "identity": Conversion(_identity, str),
    "accuracy": Conversion(_accuracy, lambda v: f"0x{parse_accuracy(v):02X}"),
    "level": Conversion(lambda value, text: _LEVELS[int(value)], _LEVEL_NUMBERS.__getitem__),
    "mechanism": Conversion(_mechanism, lambda v: "Auto" if v == "AUTO" else str(v)),
    "transport": Conversion(lambda value, text: _TRANSPORTS[str(value)], {v: k for k, v in _TRANSPORTS.items()}.get),
    "max_frequency": Conversion(_max_frequency, lambda v: _number(v) if v else None),
    "sdo": Conversion(lambda value, text: int(value) << 8, lambda v: f"0x{int(v) >> 8:X}"),
    "text": Conversion(lambda value, text: text or None, str),
}
