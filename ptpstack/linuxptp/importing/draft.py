"""The site that an import is making, and what became of each setting.

A value is written only where it differs from what ptpstack does by itself: the result is short, and the same for the
same meaning.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ptpstack.config.findings import ERROR, NOTE, WARNING, Finding
from ptpstack.config.profiles import Profile, load_profile
from ptpstack.config.schema import CLOCK, INSTANCE, MANAGEMENT, NODE, NUMBER, PORT, POWER, REFERENCE, SERVO
from ptpstack.linuxptp.keys import keys
from ptpstack.linuxptp.reader import Setting
from ptpstack.linuxptp.settings import Settings

KEPT, DIFFERS, NOT_NEEDED, REFUSED = "kept", "differs", "not needed", "refused"
_TABLES = {t.name: t for t in (NODE, CLOCK, INSTANCE, PORT, *PORT.tables, SERVO, MANAGEMENT, POWER, REFERENCE)}
_OF_PORTS = frozenset(t.name for t in PORT.tables)
#: what ptpstack takes an absent key for, where the schema leaves it to the profile
_ABSENT = {
    "port.server_only": False,
    "instance.clock_accuracy": "unknown",
    "instance.clock_class": 248,
}


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one setting. ``ours``: where it is now; ``value``: what that is (None: the default)."""

    setting: Setting
    outcome: str
    ours: str = ""
    value: Any = None
    remark: str = ""

    def as_dict(self) -> dict[str, Any]:
        s = self.setting
        return {
            "key": s.key,
            "spelled": s.spelled,
            "section": s.section or "global",
            "value": s.text,
            "file": s.file,
            "line": s.line,
            "outcome": self.outcome,
            "ours": self.ours,
            "ours_value": self.value,
            "remark": self.remark,
        }


@cache
def _profile(name: str) -> Profile:
    """Read once: ptp4l's start waits for it."""
    return load_profile(name)


@dataclass(slots=True)
class Draft:
    settings: Settings
    name: str = ""
    profile: str = "unrestricted"
    node: dict[str, Any] = field(default_factory=dict)
    clock: dict[str, Any] = field(default_factory=dict)
    instance: dict[str, Any] = field(default_factory=dict)
    servo: dict[str, Any] = field(default_factory=dict)
    power: dict[str, Any] = field(default_factory=dict)
    management: dict[str, Any] = field(default_factory=dict)
    #: interface -> its keys; ``unicast`` is a table among them
    ports: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: dict[Setting, Row] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ports = {name: {} for name in self.settings.ports}

    # ---- writing ----------------------------------------------------------------------------------------------

    def default(self, table: str, key: str) -> Any:
        """What ptpstack does when nothing is said."""
        profile = _profile(self.profile)
        if key in profile.parameters:
            return profile.parameters[key].default
        match f"{table}.{key}":
            case "port.transport":
                return profile.default_transport
            case "port.delay_mechanism" | "port.l2_group":
                return profile.behaviours[key]
            case "instance.path_trace":
                return profile.behaviours[key] == "on"
        default = _TABLES[table].field(key).default
        return _ABSENT.get(f"{table}.{key}") if default is None else default

    def put(self, ours: str, value: Any, port: str = "") -> None:
        """``value`` at ``ours`` (``table.key``), unless it is the default."""
        table, _, key = ours.partition(".")
        if value is None or value == self.default(table, key):
            return
        if _TABLES[table].field(key).kind == NUMBER:
            value = float(value)
        if table == "port":
            self.ports[port][key] = value
        elif table in _OF_PORTS:
            self.ports[port].setdefault(table, {})[key] = value
        else:
            getattr(self, table)[key] = value

    # ---- what became of settings --------------------------------------------------------------------------------

    def of(self, key: str) -> list[Setting]:
        """Every setting of ``key``, the ones that lose too."""
        return [s for s in self.settings.all if s.key == key]

    def row(self, key: str, outcome: str, ours: str = "", value: Any = None, remark: str = "", port: str = "") -> None:
        """A word about the setting that decides for ``key`` (of ``port``), if there is one."""
        setting = self.settings.setting(key, port)
        if setting is not None and setting not in self.rows:
            self.rows[setting] = Row(setting, outcome, ours, value, remark or keys()[key].remark)

    def refuse(self, key: str, reason: str, fix: str, port: str = "") -> None:
        """ptpstack cannot do what this setting (or linuxptp's default) asks for."""
        setting = self.settings.setting(key, port)
        if setting is None:
            self.findings.append(Finding(ERROR, key, reason, fix, None, self.settings.file.path))
            return
        if setting in self.rows and self.rows[setting].outcome == REFUSED:
            return
        self.rows[setting] = Row(setting, REFUSED, remark=reason)
        self.findings.append(Finding(ERROR, f"{key} {setting.text}", reason, fix, setting.line, setting.file))

    def differs(self, key: str, reason: str, fix: str = "read what differs", port: str = "") -> None:
        """ptpstack does something else, and that may matter."""
        setting = self.settings.setting(key, port)
        if setting is not None and self.rows.get(setting, Row(setting, "")).outcome not in (DIFFERS, REFUSED):
            self.rows[setting] = Row(setting, DIFFERS, remark=reason)
            self.findings.append(Finding(NOTE, f"{key} {setting.text}", reason, fix, setting.line, setting.file))

    def warn(self, path: str, reason: str, fix: str, line: int | None = None) -> None:
        self.findings.append(Finding(WARNING, path, reason, fix, line, self.settings.file.path))

    def one(self, key: str) -> Any:
        """The value of a key of ports that we have once for all: refused where ports differ."""
        values = {port: self.settings.value(key, port) for port in self.settings.ports}
        if len(set(values.values())) > 1:
            odd = next(port for port, value in values.items() if value != self.settings.value(key))
            self.refuse(
                key,
                f"ports have different values of {key}, and an instance of ptpstack has one",
                "give all ports the same, or make two configurations of it",
                odd,
            )
        return next(iter(values.values()), self.settings.value(key))
