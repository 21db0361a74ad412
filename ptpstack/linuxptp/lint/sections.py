"""Headers, numbers and lines that linuxptp takes for something else than was meant."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from ptpstack.config.findings import NOTE, WARNING
from ptpstack.linuxptp.keys import find, keys
from ptpstack.linuxptp.lint.rule import Hit, Hits, at_line, rule
from ptpstack.linuxptp.settings import Settings

_SECTIONS = ("global", "unicast_master_table")
#: sections of other files: of timemaster, of the file of keys
_FOREIGN = ("timemaster", "chronyd", "chrony.conf", "ntpd", "ntp.conf", "phc2sys", "ptp4l", "ptp4l.conf", "ts2phc")
_FOREIGN_CUT = ("security_associa", "ntp_server", "ptp_domain")
_OCTAL = re.compile(r"[+-]?0[0-7]+")


def _near(name: str, word: str) -> bool:
    folded = re.sub(r"[^a-z]", "", name.casefold())
    return SequenceMatcher(None, folded, word.replace("_", "")[: max(len(folded), 6)]).ratio() >= 0.75


@rule("section-typo", WARNING)
def section_typo(s: Settings) -> Hits:
    """A section that was to be [global] or [unicast_master_table], and is a port."""
    for port, line in s.file.ports.items():
        for word in _SECTIONS:
            if _near(port, word):
                yield at_line(
                    s,
                    line,
                    f"this makes a port called {port}, which no machine has",
                    f"write [{word}] and nothing beside it",
                )
                break
        else:
            if find(port) is not None:
                yield at_line(s, line, f"this makes a port called {port}", f"write {port} as a line of [global]")


@rule("section-foreign", WARNING)
def section_foreign(s: Settings) -> Hits:
    """A section of another program's file, taken for a port."""
    for port, line in s.file.ports.items():
        if port.casefold() in _FOREIGN or port in _FOREIGN_CUT:
            yield at_line(
                s, line, f"this makes a port called {port}", "timemaster.conf and files of keys are read by other means"
            )


@rule("section-junk", WARNING)
def section_junk(s: Settings) -> Hits:
    """More than a name in brackets on the line of a section."""
    for line, text in s.file.headers.items():
        words = re.split(r"[\s\[\]]+", text.strip("[] \t"))
        if len(words[0]) <= 15:
            yield at_line(s, line, f"only {words[0]!r} of it counts, as a port", "write [name] and nothing beside it")


@rule("section-name-long", WARNING)
def section_name_long(s: Settings) -> Hits:
    """A port whose name is longer than a name of an interface can be."""
    for port, line in s.file.ports.items():
        if len(port) > 15:
            yield at_line(
                s, line, f"an interface has at most 15 characters, {port!r} has {len(port)} or more", "correct it"
            )


@rule("section-twice", WARNING)
def section_twice(s: Settings) -> Hits:
    """Two sections of one port."""
    seen: dict[str, int] = {}
    for number, raw in enumerate(s.file.lines, 1):
        match = re.fullmatch(r"\s*\[([^\s\[\]]+)\]\s*", raw)
        if match is None or match[1].casefold() in _SECTIONS:
            continue
        first = seen.setdefault(match[1], number)
        if first != number:
            yield at_line(s, number, f"line {first} begins a section of the same port: both count", "join them")


@rule("key-twice", WARNING)
def key_twice(s: Settings) -> Hits:
    """A key set twice in a section, to different values."""
    last: dict[tuple[str, str], int] = {}
    values: dict[tuple[str, str], object] = {}
    for setting in s.file.settings:
        place = (setting.section, setting.key)
        if place in values and values[place] != setting.value and setting.line:
            yield at_line(
                s, setting.line, f"line {last[place]} says otherwise, and this one wins", "remove one of them"
            )
        values[place], last[place] = setting.value, setting.line or 0


@rule("comment-in-value", WARNING)
def comment_in_value(s: Settings) -> Hits:
    """A comment behind a text, which becomes part of it."""
    for setting in s.file.settings:
        if keys()[setting.key].type == "text" and re.search(r"\s#\s", setting.text) and setting.line:
            yield at_line(s, setting.line, "the comment is part of the value", "put the comment on a line of its own")


@rule("octal", WARNING)
def octal(s: Settings) -> Hits:
    """A number with a leading zero is octal."""
    for setting in s.file.settings:
        key = keys()[setting.key]
        if (
            key.type == "integer"
            and _OCTAL.fullmatch(setting.text)
            and not key.name.endswith("file_mode")
            and int(setting.text, 10) != setting.value
            and setting.line
        ):
            yield at_line(s, setting.line, f"{setting.text} is octal: {setting.value}", "remove the leading zero")


@rule("old-name", NOTE)
def old_name(s: Settings) -> Hits:
    """A name that newer releases have replaced."""
    for setting in s.file.settings:
        if setting.spelled != setting.key and setting.line:
            yield at_line(s, setting.line, f"linuxptp 4 calls it {setting.key}", "nothing: old and new ones are read")


@rule("newer-than-3.1.1", NOTE)
def newer(s: Settings) -> Hits:
    """A key that the linuxptp of Debian 12 and 13 (3.1.1, 4.2) may not know."""
    for setting in s.file.settings:
        since = keys()[setting.key].since
        if setting.spelled == setting.key and not since.startswith("≤") and setting.line:
            yield at_line(
                s, setting.line, f"since linuxptp {since}: 3.1.1 does not start with it", "update, or remove it"
            )


@rule("not-a-number", WARNING)
def not_a_number(s: Settings) -> Hits:
    """nan is taken for a number, and compares with nothing."""
    for setting in s.file.settings:
        if isinstance(setting.value, float) and setting.value != setting.value and setting.line:
            yield at_line(s, setting.line, "every comparison with it is false", "write a number")


@rule("address-short", WARNING)
def address_short(s: Settings) -> Hits:
    """An IPv4 address without all four parts, in an old form that means another one."""
    for table in s.file.tables:
        for server in table.servers:
            if server.transport == "udp4" and server.text != server.address:
                yield at_line(s, server.line, f"{server.text} is {server.address}", "write four decimal numbers")


@rule("port-twice", WARNING)
def port_twice(s: Settings) -> Hits:
    """One interface given twice on the command line."""
    seen = set()
    for name in s.interfaces:
        if name in seen:
            yield Hit(s, 0, f"-i {name}", "given before: it is one port", "give another interface, or remove it")
        seen.add(name)
