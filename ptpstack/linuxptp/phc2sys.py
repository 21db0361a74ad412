"""A command line of phc2sys (3.1.1): what it would steer by what. No clock is opened for that.

1. Short options that are keys of the configuration are settings, as ``--KEY=VALUE`` and the lines of ``-f FILE``.
2. Names of clocks stay as they are given: a device, an interface, or CLOCK_REALTIME.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from ptpstack.config.findings import ERROR, ConfigError, Finding
from ptpstack.linuxptp.commands import common
from ptpstack.linuxptp.commands.common import SYSTEM, Usage
from ptpstack.linuxptp.keys import ValueRefusedError, keys, renamed
from ptpstack.linuxptp.reader import ConfigFile, Setting, read_config
from ptpstack.linuxptp.settings import Settings, option

_SHORT = "ac:d:f:hi:l:mn:qrs:t:u:vwxz:E:F:I:L:M:N:O:P:R:S:"
#: short options that are keys of the configuration by another name
_KEYS = {"-P": "pi_proportional_const", "-I": "pi_integral_const", "-S": "step_threshold", "-F": "first_step_threshold"}
_KEYS |= {"-E": "clock_servo", "-M": "ntpshm_segment", "-n": "domainNumber", "-z": "uds_address", "-t": "message_tag"}
_KEYS |= {"-l": "logging_level", "-L": "sanity_freq_limit"}
_FLAGS = {"-m": ("verbose", "1"), "-q": ("use_syslog", "0"), "-x": ("kernel_leap", "0")}
_MOST_OFFSET_S = 1 << 40
#: the servos that steer nothing
FEEDS = ("ntpshm", "refclock_sock")


@dataclass(slots=True)
class Phc2sys:
    """``shows``: -h or -v, and then nothing else counts. ``settings``: the keys of command line and file."""

    text: str
    shows: str = ""
    automatic: bool = False
    #: how often -r stands there: the system clock takes part; twice: it may be the source
    system: int = 0
    waits: bool = False
    pps: str = ""
    source: str = ""
    sinks: list[str] = field(default_factory=list)
    #: sink minus source; None: not given
    offset_s: int | None = None
    rate_hz: float = 1.0
    readings: int = 5
    summary: int = 0
    settings: Settings = field(default_factory=Settings)
    #: of ptp4l; several since 4.0
    domains: list[int] = field(default_factory=list)
    sockets: list[str] = field(default_factory=list)

    @property
    def steers(self) -> list[str]:
        """The clocks it sets; with -a, those of ptp4l's ports that follow nobody are not known here."""
        if self.automatic:
            return [SYSTEM] if self.system else []
        return self.sinks or [SYSTEM]

    @property
    def refusal(self) -> str:
        """Why phc2sys would not start with these options together; "" when it would."""
        if self.automatic:
            if self.source or self.sinks or self.waits or self.offset_s is not None:
                return "-a finds clocks and offsets by itself: it goes without -s, -c, -w and -O"
            return ""
        if self.pps:
            return (
                "-d: a kernel PPS device is not read; stamp the pulse with a PTP hardware clock (ptpstack ts2phc), or "
                "give the device to chronyd (refclock PPS)"
            )
        if self.system:
            return "-r belongs to -a; name the sink with -c CLOCK_REALTIME"
        if not self.source:
            return "no source: give -s CLOCK, or -a"
        if not self.waits and self.offset_s is None:
            return "how far are the clocks to be apart? Give -w (ask ptp4l) or -O SECONDS"
        return ""


def parse(words: Sequence[str]) -> Phc2sys:
    """The options, without the program's name. Usage; ConfigError for the file of -f."""
    given, rest = common.options(words, _SHORT, [f"{name}=" for name in (*keys(), *renamed())])
    found = Phc2sys(shlex.join(["phc2sys", *words]))
    flags = [flag for flag, _ in given]
    found.shows = "-v" if "-v" in flags else "-h" if "-h" in flags else ""
    if found.shows:
        return found
    if rest:
        raise Usage(f"{rest[0]!r} is no option")
    file, said = ConfigFile(""), list[Setting]()
    for flag, value in given:
        if flag == "-f":
            file = read_config(value)
        elif flag in _KEYS or flag in _FLAGS or flag.startswith("--"):
            try:
                said.append(option(*_FLAGS.get(flag, (_KEYS.get(flag, flag[2:]), value))))
            except ValueRefusedError as error:
                raise Usage(f"{flag} {value}: {error}; {error.fix}") from None
        else:
            _take(found, flag, value)
    found.settings = settings = Settings(file, (), said)
    found.domains = [int(s.value) for s in said if s.key == "domainNumber"] or [settings.number("domainNumber")]
    found.sockets = [str(s.value) for s in said if s.key == "uds_address"]
    if not found.sockets and settings.named("uds_address"):
        found.sockets = [settings.text("uds_address")]
    servo_named(settings)
    return found


def _take(found: Phc2sys, flag: str, value: str) -> None:
    match flag:
        case "-a":
            found.automatic = True
        case "-r":
            found.system += 1
        case "-w":
            found.waits = True
        case "-d":
            found.pps = value
        case "-s" | "-i":
            found.source = _clock(value)
        case "-c":
            found.sinks.append(_clock(value))
        case "-O":
            found.offset_s = common.whole(flag, value, -_MOST_OFFSET_S, _MOST_OFFSET_S)
        case "-R":
            found.rate_hz = common.number(flag, value, 1e-9, 128.0)
        case "-N":
            found.readings = common.whole(flag, value, 1, 25)
        case "-u":
            found.summary = common.whole(flag, value, 0, 1 << 31)


def _clock(name: str) -> str:
    return SYSTEM if name.upper() == SYSTEM else name


def servo_named(settings: Settings) -> str:
    """The servo that is named, or that a constant of it names; "" when nothing is: our own. Usage."""
    if settings.named("clock_servo"):
        kind = settings.text("clock_servo")
        if kind == "ntpshm" and not 0 <= settings.number("ntpshm_segment") <= 255:
            raise Usage("-M: a segment is 0..255")
        return kind
    return "pi" if any(map(settings.named, ("pi_proportional_const", "pi_integral_const"))) else ""


def parse_phc2sys(text: str) -> Phc2sys:
    """Of options as a shell has them, with or without the program's name. ConfigError when phc2sys would not start."""
    try:
        words = shlex.split(text)
        found = parse(words[1:] if words and not words[0].startswith("-") else words)
    except (Usage, ValueError) as error:
        fix = "see man phc2sys, or `ptpstack phc2sys -h`"
        raise ConfigError([Finding(ERROR, f"--phc2sys {text}", str(error), fix)], text) from None
    return found
