"""A configuration of linuxptp as a site file of ptpstack, with what became of every setting.

settings = Settings(read_config("/etc/linuxptp/ptp4l.conf"), interfaces=["eth1"])
imported = import_settings([settings])
imported.document       # for config.load.parse_document, dump_document
imported.text           # the TOML, checked
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ptpstack.config.dump import dump_document
from ptpstack.config.findings import ERROR, NOTE, Finding
from ptpstack.config.load import parse_document
from ptpstack.config.model import Site
from ptpstack.linuxptp.importing import companions, gptp, ports, roles, servo, stamps
from ptpstack.linuxptp.importing.draft import DIFFERS, KEPT, NOT_NEEDED, Draft, Row
from ptpstack.linuxptp.importing.simple import simple
from ptpstack.linuxptp.importing.transparent import is_transparent, transparent
from ptpstack.linuxptp.keys import keys
from ptpstack.linuxptp.phc2sys import Phc2sys
from ptpstack.linuxptp.settings import Settings

#: where 3.1.1 has its sockets, and where later versions leave links to theirs
SOCKET, SOCKET_READ_ONLY = "/var/run/ptp4l", "/var/run/ptp4lro"
_LONGEST_PATH = 107


@dataclass(frozen=True, slots=True)
class Imported:
    """``document`` is only worth running when ``refused`` is empty."""

    document: dict[str, Any]
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]

    @property
    def refused(self) -> list[Finding]:
        return [f for f in self.findings if f.severity == ERROR]

    @property
    def text(self) -> str:
        """The site file."""
        return dump_document(self.document)


def import_settings(sets: Sequence[Settings], management: bool = True, phc2sys: Sequence[Phc2sys] = ()) -> Imported:
    """One site of one instance (or transparent clock) for each of ``sets``, each of which was one ptp4l.

    A file of ts2phc among them gives the instance on its interface a reference, each of ``phc2sys`` is an edge.
    ``management`` False leaves linuxptp's sockets out. Never raises for what settings say; see ``Imported.refused``.
    """
    document: dict[str, Any] = {"node": {}, "clock": [], "instance": [], "transparent": []}
    ptp4l = [settings for settings in sets if not settings.of_ts2phc]
    drafts = [_draft(settings, document, index, management) for index, settings in enumerate(ptp4l)]
    for settings in sets:
        if settings.of_ts2phc:
            drafts.append(companions.pulse(document, settings))
            _rest(drafts[-1], "ts2phc")
    findings = [f for draft in drafts for f in draft.findings]
    for program in phc2sys:
        findings += companions.edge(document, program)
    document = {name: value for name, value in document.items() if value}
    if not any(f.severity == ERROR for f in findings):
        findings += _checked(document)
    return Imported(document, tuple(row for draft in drafts for row in draft.rows.values()), tuple(findings))


def _checked(document: dict[str, Any]) -> list[Finding]:
    """What our own check says of the result: errors, for the rest is for ``ptpstack check``."""
    _, findings = parse_document(document)
    return [f for f in findings if f.severity == ERROR]


def import_site(sets: Sequence[Settings], management: bool = True) -> tuple[Site | None, Imported]:
    """The site itself; None when something was refused."""
    imported = import_settings(sets, management)
    return (None if imported.refused else parse_document(imported.document)[0]), imported


def _draft(settings: Settings, document: dict[str, Any], index: int, management: bool) -> Draft:
    draft = Draft(settings)
    if not settings.ports:
        draft.findings.append(
            Finding(
                ERROR,
                "",
                "names no interface",
                "give -i INTERFACE, or add a section [INTERFACE]",
                None,
                settings.file.path,
            )
        )
    if is_transparent(draft):
        document["transparent"].append(transparent(draft))
        _node(draft)
    else:
        for step in (
            *(roles.profile, gptp.gptp, roles.client_only, ports.unicast, simple, roles.drop_of_clients, roles.static),
            *(roles.boundary, stamps.stamps, ports.groups, ports.security, ports.intervals, ports.power, servo.servo),
        ):
            step(draft)
        if management:
            _sockets(draft)
        _assemble(draft, document)
    document["node"] = draft.node | document["node"] if index else draft.node
    _rest(draft)
    return draft


def _node(draft: Draft) -> None:
    """Keys of the process, where there is no instance to convert."""
    from ptpstack.linuxptp.importing.simple import convert

    for key in keys().values():
        if key.ours.startswith("node.") and key.conversion != "socket" and "ptp4l" in key.by:
            convert(draft, key, "")


def _sockets(draft: Draft) -> None:
    settings = draft.settings
    for key, ours, usual in (
        ("uds_address", "management", SOCKET),
        ("uds_ro_address", "management_read_only", SOCKET_READ_ONLY),
    ):
        path = settings.text(key) if settings.named(key) else usual
        if len(path.encode()) > _LONGEST_PATH:
            draft.refuse(key, f"is longer than {_LONGEST_PATH} octets", "use a shorter path")
        draft.node[ours] = path
        draft.row(key, KEPT, f"node.{ours}", path)


def _assemble(draft: Draft, document: dict[str, Any]) -> None:
    instance: dict[str, Any] = {**draft.instance}
    if draft.clock:
        clock = {k: v for k, v in draft.clock.items() if v is not None}
        same = next((c for c in document["clock"] if {k: v for k, v in c.items() if k != "name"} == clock), None)
        if same is None:
            same = {"name": f"clock{len(document['clock']) + 1}" if document["clock"] else "clock", **clock}
            document["clock"].append(same)
        if len(document["clock"]) > 1:
            for other in document["instance"]:
                other.setdefault("clock", document["clock"][0]["name"])
            instance["clock"] = same["name"]
    instance["port"] = [{"interface": name, **values} for name, values in draft.ports.items()]
    for name in ("power", "servo", "management"):
        if table := getattr(draft, name):
            instance[name] = table
    document["instance"].append(instance)


def _rest(draft: Draft, program: str = "ptp4l") -> None:
    """Every setting that is left: others win over it, or ptpstack has no such thing."""
    settings = draft.settings
    for setting in settings.all:
        if setting in draft.rows:
            continue
        key = keys()[setting.key]
        deciding = {settings.setting(setting.key, port) for port in ("", *settings.ports)}
        if setting not in deciding:
            draft.rows[setting] = Row(setting, NOT_NEEDED, remark="another line, or the command line, wins over this")
        elif program not in key.by:
            draft.rows[setting] = Row(
                setting, NOT_NEEDED, remark=f"{program} does not read it, but {', '.join(key.by)}"
            )
        elif setting.value == key.default or key.conversion == "unneeded":
            draft.rows[setting] = Row(setting, NOT_NEEDED, remark=key.remark)
        elif key.conversion == "none" or (program == "ts2phc" and key.conversion != "ts2phc"):
            reason = key.remark or "ptpstack has no such thing"
            if key.conversion != "none":
                reason = f"not taken over to {key.ours}: a reference has no such key"
            draft.rows[setting] = Row(setting, DIFFERS, remark=reason)
            what = f"{key.name} {setting.text}"
            draft.findings.append(Finding(NOTE, what, reason, "see docs/linuxptp.md", setting.line, setting.file))
        else:
            # a section, or every section, says otherwise
            draft.rows[setting] = Row(setting, KEPT, key.ours, remark=key.remark)
