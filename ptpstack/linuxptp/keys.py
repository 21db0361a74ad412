"""The table of linuxptp's configuration keys, and how the text of a value is read.

Numbers are C's: ``010`` is eight, ``0x10`` sixteen. Words of a choice have no case. Nothing may follow a number, a
comment neither.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

GLOBAL, PORT = "global", "port"
Value = int | float | str

_INTEGER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
_FLOAT = re.compile(
    r"[+-]?(?:0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?\d+)?"
    r"|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf(?:inity)?|nan)",
    re.IGNORECASE,
)
#: the two keys that take a word for a number
_WORDS = {"fault_reset_interval": {"ASAP": -128}, "fault_badpeernet_interval": {"ASAP": 0}}


class ValueRefusedError(ValueError):
    """linuxptp would not start with this value: ``reason`` and ``fix``."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Key:
    """One row of ``keys.toml``, which says what each member means."""

    name: str
    scope: str
    type: str
    default: Value
    by: tuple[str, ...]
    conversion: str
    doc: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    since: str = ""
    ours: str = ""
    remark: str = ""

    @property
    def range(self) -> str:
        """What it takes, for people."""
        if self.choices:
            return ", ".join(self.choices)
        if self.type == "text":
            return "text"
        low = "" if self.low is None else f"{self.low:.6g}" if self.type == "float" else str(self.low)
        high = "" if self.high is None else f"{self.high:.6g}" if self.type == "float" else str(self.high)
        return f"{low}..{high}" if low or high else "any number"

    def parse(self, text: str) -> Value:
        """The value that ``text`` means to linuxptp; ValueRefusedError when it means nothing."""
        if self.type == "text":
            return text
        if self.type == "choice":
            for choice in self.choices:
                if choice.casefold() == text.casefold():
                    return choice
            raise ValueRefusedError(f"{text!r} is no value of {self.name}", f"use one of: {self.range}")
        word = _WORDS.get(self.name, {}).get(text.upper())
        if word is not None:
            return word
        value = parse_integer(text) if self.type == "integer" else parse_float(text)
        if value is None:
            kind = "a whole number" if self.type == "integer" else "a number"
            raise ValueRefusedError(f"{text!r} is not {kind}, as {self.name} is", f"use {self.range}{_hint(text)}")
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise ValueRefusedError(f"{text} is out of the range of {self.name}", f"use {self.range}")
        if math.isinf(value):
            raise ValueRefusedError(f"{text} is out of the range of {self.name}", "use a finite number")
        return value

    def show(self, value: Value) -> str:
        """``value`` as a line of a file has it; ``parse`` gives it back."""
        return repr(value) if isinstance(value, float) else str(value)


def _hint(text: str) -> str:
    if "#" in text:
        return "; a comment must stand on a line of its own"
    if text.startswith("="):
        return "; no equals sign stands between key and value"
    return "; a leading 0 means octal" if re.fullmatch(r"[+-]?0\d+", text) else ""


def parse_integer(text: str) -> int | None:
    """A C integer of base 0, None when it is none."""
    if not _INTEGER.fullmatch(text):
        return None
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    if digits[:2] in ("0x", "0X"):
        return sign * int(digits, 16)
    return sign * int(digits, 8 if digits.startswith("0") else 10)


def parse_float(text: str) -> float | None:
    """What strtod makes of the whole text; infinite where it overflows or underflows, None when it is no number."""
    if not _FLOAT.fullmatch(text):
        return None
    if "x" in text.lower():
        try:
            return float.fromhex(text)
        except OverflowError:
            return math.inf
    value = float(text)
    digits = text.lower().partition("e")[0]
    return math.inf if value == 0 and any(c in "123456789" for c in digits) else value


@cache
def _document() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("keys.toml").read_text(encoding="utf-8"))


@cache
def keys() -> Mapping[str, Key]:
    """Every key by its name, in alphabetical order."""
    return {
        name: Key(
            name,
            **{k: v for k, v in row.items() if k not in ("as", "by", "choices")},
            by=tuple(row["by"].split()),
            conversion=row["as"],
            choices=tuple(row.get("choices", ())),
        )
        for name, row in _document()["keys"].items()
    }


def renamed() -> Mapping[str, str]:
    """Old names of keys."""
    names: Mapping[str, str] = _document()["renamed"]
    return names


def find(name: str) -> Key | None:
    """The key that ``name`` is, by its present name if it was renamed; None for an unknown one. Case counts."""
    return keys().get(renamed().get(name, name))
