"""A command line of phc2sys (3.1.1): what it would steer by what."""

from __future__ import annotations

import getopt
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from ptpstack.config.findings import ERROR, ConfigError, Finding

SYSTEM = "CLOCK_REALTIME"
_LETTERS = "arf:d:s:i:c:E:P:I:S:F:R:N:O:L:M:u:wmql:t:n:xz:"


@dataclass(slots=True)
class Phc2sys:
    """``sources``: device or interface, or CLOCK_REALTIME. Numbers are None where nothing is said."""

    text: str
    automatic: bool = False
    #: how often -r stands there: the system clock takes part; twice: it may be the source
    system: int = 0
    waits: bool = False
    pps: str = ""
    source: str = ""
    sinks: list[str] = field(default_factory=list)
    config: str = ""
    offset_s: int | None = None
    rate_hz: float = 1.0
    readings: int = 5
    step_threshold_s: float = 0.0
    first_step_threshold_s: float = 0.00002
    servo: str = "pi"
    kp: float = 0.7
    ki: float = 0.3
    domains: list[int] = field(default_factory=list)
    sockets: list[str] = field(default_factory=list)

    @property
    def steers(self) -> list[str]:
        """The clocks it sets; with -a, those of ptp4l's ports that follow nobody are not known here."""
        if self.automatic:
            return [SYSTEM] if self.system else []
        return self.sinks or [SYSTEM]


def parse_phc2sys(text: str | Sequence[str]) -> Phc2sys:
    """The options (with or without the program's name before them); ConfigError when phc2sys would not take them."""
    words = shlex.split(text) if isinstance(text, str) else list(text)
    if words and not words[0].startswith("-"):
        words = words[1:]
    shown = shlex.join(["phc2sys", *words])
    found = Phc2sys(shown)
    try:
        pairs, rest = getopt.getopt(words, _LETTERS, [])
        if rest:
            raise getopt.GetoptError(f"{rest[0]!r} is no option")
        for letter, value in pairs:
            _take(found, letter[1], value)
    except (getopt.GetoptError, ValueError) as error:
        fix = "see man phc2sys; of long options write the line of a file, and -f FILE"
        raise ConfigError([Finding(ERROR, shown, str(error), fix)], shown) from None
    return found


def _take(found: Phc2sys, letter: str, value: str) -> None:
    match letter:
        case "a":
            found.automatic = True
        case "r":
            found.system += 1
        case "w":
            found.waits = True
        case "d":
            found.pps = value
        case "s" | "i":
            found.source = value
        case "c":
            found.sinks.append(value)
        case "f":
            found.config = value
        case "O":
            found.offset_s = int(value)
        case "R":
            found.rate_hz = float(value)
        case "N":
            found.readings = int(value)
        case "S":
            found.step_threshold_s = float(value)
        case "F":
            found.first_step_threshold_s = float(value)
        case "E":
            found.servo = value
        case "P":
            found.kp = float(value)
        case "I":
            found.ki = float(value)
        case "n":
            found.domains.append(int(value))
        case "z":
            found.sockets.append(value)
