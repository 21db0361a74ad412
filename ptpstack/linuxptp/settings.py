"""What holds in the end: a file and a command line together, with linuxptp's precedence.

1. The section of a port wins over everything else, over the command line too.
2. Then the command line, then [global], then the default.
3. The ports of ``-i`` come first, in their order; sections add those that are not among them.
4. Of several ``-f`` the last one is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ptpstack.config.findings import suggest
from ptpstack.linuxptp.keys import Key, Value, ValueRefusedError, find, keys, renamed
from ptpstack.linuxptp.reader import ConfigFile, Setting, UnicastTable

COMMAND_LINE = "command line"

#: options of one letter, and the setting that each stands for
SHORT_OPTIONS: Mapping[str, tuple[str, str]] = {
    "A": ("delay_mechanism", "Auto"),
    "E": ("delay_mechanism", "E2E"),
    "P": ("delay_mechanism", "P2P"),
    "2": ("network_transport", "L2"),
    "4": ("network_transport", "UDPv4"),
    "6": ("network_transport", "UDPv6"),
    "H": ("time_stamping", "hardware"),
    "S": ("time_stamping", "software"),
    "L": ("time_stamping", "legacy"),
    "s": ("clientOnly", "1"),
    "m": ("verbose", "1"),
    "q": ("use_syslog", "0"),
}


def option(name: str, text: str) -> Setting:
    """``--name=text`` of a command line; a beginning of a name that no other has will do, as in getopt_long.

    ValueRefusedError says what is wrong.
    """
    names = [*keys(), *renamed()]
    key = find(name)
    if key is None:
        begun = {renamed().get(known, known) for known in names if known.startswith(name)}
        if len(begun) != 1:
            near = suggest(name, names)
            several = f"it begins {', '.join(sorted(begun)[:6])}" if begun else "see docs/linuxptp.md"
            raise ValueRefusedError(
                f"--{name} is no option of linuxptp", f"did you mean --{near}?" if near and not begun else several
            )
        key = keys()[begun.pop()]
    return Setting(key.name, "", text, key.parse(text), name, COMMAND_LINE, None)


def short(letter: str, argument: str = "") -> Setting:
    """``-letter`` of ptp4l that stands for a setting (KeyError for others); ``-l`` takes its ``argument``."""
    name, text = ("logging_level", argument) if letter == "l" else SHORT_OPTIONS[letter]
    setting = option(name, text)
    return Setting(setting.key, "", setting.text, setting.value, f"-{letter}", COMMAND_LINE, None)


@dataclass(slots=True)
class Settings:
    """A file (or none) under a command line. ``phc``: the device of ``-p``."""

    file: ConfigFile = field(default_factory=lambda: ConfigFile(""))
    interfaces: Sequence[str] = ()
    options: Iterable[Setting] = ()
    phc: str = ""
    _found: dict[tuple[str, str], Setting] = field(init=False)
    _locked: dict[str, Setting] = field(init=False)

    def __post_init__(self) -> None:
        self._found = {(s.section, s.key): s for s in self.file.settings}
        self._locked = {s.key: s for s in self.options}

    @property
    def ports(self) -> tuple[str, ...]:
        """Interfaces in the order of port numbers."""
        return tuple(dict.fromkeys((*self.interfaces, *self.file.ports)))

    @property
    def all(self) -> list[Setting]:
        """Every setting that is given, those of the command line first, also where another one wins."""
        return [*self._locked.values(), *self.file.settings]

    def setting(self, key: str, port: str = "") -> Setting | None:
        """What decides for ``key``: of a port, or of [global] for ``""``. None: the default."""
        if port and (own := self._found.get((port, key))) is not None:
            return own
        return self._locked.get(key) or self._found.get(("", key))

    def value(self, key: str, port: str = "") -> Value:
        setting = self.setting(key, port)
        return keys()[key].default if setting is None else setting.value

    def number(self, key: str, port: str = "") -> int:
        """``value`` of an integer key."""
        return int(self.value(key, port))

    def real(self, key: str, port: str = "") -> float:
        """``value`` of a float key."""
        return float(self.value(key, port))

    def text(self, key: str, port: str = "") -> str:
        """``value`` of a choice or a text."""
        return str(self.value(key, port))

    def named(self, key: str) -> bool:
        """Whether the file or the command line says anything of it, anywhere."""
        return key in self._locked or any(key == name for _, name in self._found)

    @property
    def of_ts2phc(self) -> bool:
        """Whether this is a file of ts2phc: it has keys of it, and none that ptp4l alone reads."""
        read_by = [keys()[setting.key].by for setting in self.file.settings]
        return ("ts2phc",) in read_by and all("ts2phc" in by or "ptp4l" not in by for by in read_by)

    def table(self, table_id: int) -> UnicastTable | None:
        return next((t for t in self.file.tables if t.table_id == table_id), None)

    def key(self, name: str) -> Key:
        return keys()[name]
