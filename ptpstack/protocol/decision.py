"""A decision is a value, a reason and its inputs. Logs, the API and ``ptpstack explain`` are renderings of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Decision:
    """``code`` is stable (``M1``, ``S1``, ``announce-timeout``); ``reason`` is a sentence for people.

    ``inputs`` holds what was compared, ``lost`` what was not chosen and why, ``would_change`` what would alter it.
    """

    code: str
    reason: str
    inputs: dict[str, Any] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    would_change: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "reason": self.reason,
            "inputs": self.inputs,
            "lost": list(self.lost),
            "would_change": self.would_change,
        }
