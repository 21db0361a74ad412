"""What a rule is: a function with an id and a severity that looks at settings and says where they are suspect.

error: linuxptp refuses to start, or it cannot work; warning: probably not what was meant; note: worth knowing.
The first line of a rule's docstring says what it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ptpstack.linuxptp.settings import Settings


@dataclass(frozen=True, slots=True)
class Suspicion:
    """``evidence``: the line of the file, or what stands for it. ``line`` is None for defaults and command lines."""

    rule: str
    severity: str
    reason: str
    fix: str
    file: str
    line: int | None
    evidence: str

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Hit:
    """What a rule found: at a line of a file (0: nowhere in it), with the text that stands there."""

    settings: Settings
    line: int
    evidence: str
    reason: str
    fix: str


Hits = Iterator[Hit]


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    severity: str
    about: str
    check: Callable[[Sequence[Settings]], Iterable[Hit]]

    def run(self, sets: Sequence[Settings]) -> Iterator[Suspicion]:
        seen = set()
        for hit in self.check(sets):
            place = (hit.settings.file.path, hit.line, hit.evidence)
            if place not in seen:
                seen.add(place)
                yield Suspicion(
                    self.name,
                    self.severity,
                    hit.reason,
                    hit.fix,
                    hit.settings.file.path,
                    hit.line or None,
                    hit.evidence,
                )


#: every rule by its name, in the order of definition
RULES: dict[str, Rule] = {}


def _add(name: str, severity: str, about: str | None, check: Callable[[Sequence[Settings]], Iterable[Hit]]) -> None:
    assert name not in RULES, name
    RULES[name] = Rule(name, severity, (about or "").partition("\n")[0], check)


def rule(name: str, severity: str) -> Callable[[Callable[[Settings], Hits]], Callable[[Settings], Hits]]:
    """A rule about one configuration."""

    def take(function: Callable[[Settings], Hits]) -> Callable[[Settings], Hits]:
        def check(sets: Sequence[Settings]) -> Iterator[Hit]:
            for settings in sets:
                yield from function(settings)

        _add(name, severity, function.__doc__, check)
        return function

    return take


def set_rule(
    name: str, severity: str
) -> Callable[[Callable[[Sequence[Settings]], Hits]], Callable[[Sequence[Settings]], Hits]]:
    """A rule about several configurations together."""

    def take(function: Callable[[Sequence[Settings]], Hits]) -> Callable[[Sequence[Settings]], Hits]:
        _add(name, severity, function.__doc__, function)
        return function

    return take


def at(settings: Settings, key: str, reason: str, fix: str, port: str = "") -> Hit:
    """A hit at the line that decides for ``key``; where nothing does, at linuxptp's default."""
    setting = settings.setting(key, port)
    if setting is None:
        default = settings.key(key)
        return Hit(settings, 0, f"{key} {default.show(default.default)} (default)", reason, fix)
    option = f"--{key}={setting.text}" if setting.line is None else f"{setting.spelled} {setting.text}"
    return Hit(settings, setting.line or 0, option, reason, fix)


def at_line(settings: Settings, line: int, reason: str, fix: str) -> Hit:
    return Hit(settings, line, settings.file.lines[line - 1].strip(), reason, fix)


def scopes(settings: Settings) -> tuple[str, ...]:
    """The ports; without any, what [global] says."""
    return settings.ports or ("",)


def given(settings: Settings, key: str, port: str = "") -> bool:
    """Whether ``key`` is set to something else than its default."""
    return settings.value(key, port) != settings.key(key).default


def one_step(settings: Settings) -> bool:
    kind = settings.text("time_stamping")
    return kind in ("onestep", "p2p1step") or not settings.number("twoStepFlag")


def can_follow(settings: Settings) -> bool:
    """Whether some port may follow a master, by which a clock is steered."""
    if settings.number("clockClass") <= 127 and not settings.number("clientOnly"):
        return False
    return any(not settings.number("serverOnly", port) for port in scopes(settings))
