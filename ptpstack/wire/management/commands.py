"""What a person asks for, as ``pmc`` has it (``GET PRIORITY1``, ``SET PRIORITY1 100``, ``TARGET *``), and answers as
text and as JSON in that layout.
"""

from __future__ import annotations

import shlex
from typing import Any, NamedTuple

from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.management import ACTION_NAMES, COMMAND, GET, SET, management_error_name, management_id_name
from ptpstack.wire.management.items import ManagementId
from ptpstack.wire.management.kinds import PORT
from ptpstack.wire.management.rows import IDS_BY_NAME, MANAGEMENT_IDS, describe_data
from ptpstack.wire.messages import Management
from ptpstack.wire.tlvs.management import ManagementErrorStatus, ManagementTlv
from ptpstack.wire.types import ALL_CLOCKS, ALL_PORTS, PortIdentity
from ptpstack.wire.values import safe_text

EVERYBODY = PortIdentity(ALL_CLOCKS, ALL_PORTS)
_ACTIONS = {"GET": GET, "SET": SET, "CMD": COMMAND, "COMMAND": COMMAND}
#: keys that a GET has to come with
_KEYED = ("keyField",)


class CommandError(ValueError):
    """A line that is no command: what is wrong, and what would be right."""


class Ask(NamedTuple):
    """A request: action, id, dataField. ``text`` is its name, as ``GET PRIORITY1``."""

    action: int
    row: ManagementId
    data: bytes

    @property
    def text(self) -> str:
        return f"{ACTION_NAMES[self.action]} {self.row.name}"


class Target(NamedTuple):
    """Whom the requests that follow are for."""

    identity: PortIdentity


def _find(word: str, known: list[str], what: str) -> str:
    """The name that ``word`` is, or begins unmistakably. CommandError otherwise."""
    wanted = word.upper()
    if wanted in known:
        return wanted
    found = [name for name in known if name.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandError(
            f"{word!r} may be {', '.join(found[:6])}{' ...' if len(found) > 6 else ''}: write more of it"
        )
    import difflib  # for mistakes only

    near = difflib.get_close_matches(wanted, known, 1)
    raise CommandError(f"{word!r} is no {what}; " + (f"did you mean {near[0]}?" if near else "see `help`"))


def parse(line: str, empty_gets: bool = False) -> Ask | Target:
    """A command from a line. ``empty_gets``: GETs without the octets that have no meaning. CommandError."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise CommandError(f"{line!r}: {error}") from error
    if not words:
        raise CommandError("an empty command; write one such as GET CURRENT_DATA_SET")
    verb = _find(words[0], [*_ACTIONS, "TARGET"], "command (GET, SET, COMMAND, TARGET)")
    if verb == "TARGET":
        return _target(words[1:])
    if len(words) < 2:
        raise CommandError(f"{verb} what? Such as {verb} PRIORITY1; `help` lists the ids")
    row = IDS_BY_NAME[_find(words[1], list(IDS_BY_NAME), "managementId")]
    action = _ACTIONS[verb]
    letter = {GET: "G", SET: "S", COMMAND: "X"}[action]
    if letter not in row.actions:
        allowed = ", ".join(name for name, key in (("GET", "G"), ("SET", "S"), ("COMMAND", "X")) if key in row.actions)
        raise CommandError(f"{row.name} has no {ACTION_NAMES[action]}, only {allowed}")
    return Ask(action, row, _data(action, row, words[2:], empty_gets))


def _target(words: list[str]) -> Target:
    if words == ["*"]:
        return Target(EVERYBODY)
    clock, _, port = words[0].rpartition("-") if len(words) == 1 else ("", "", "")
    try:
        number = ALL_PORTS if port == "*" else int(port)
        identity: PortIdentity = PORT.parse(f"{'ffffffffffffffff' if clock == '*' else clock}-{number}")
    except ValueError:
        identity = EVERYBODY
    if len(words) != 1 or identity == EVERYBODY or not 0 <= identity.port_number <= ALL_PORTS:
        raise CommandError("TARGET takes *, or a port such as 001b21.fffe.aabbcc-1 or 001b21.fffe.aabbcc-*")
    return Target(identity)


def _data(action: int, row: ManagementId, words: list[str], empty_gets: bool) -> bytes:
    fields = row.fields
    if action == GET:
        keys = [name for name in fields if name in _KEYED]
        if not words and not keys:
            # its length is what the answer's will be; the standard's interpretation wants that
            return b"" if empty_gets or row.size is None else bytes(row.size + (row.size & 1))
        given = _values(row, words, keys)
        # of a keyed GET only the key counts
        octets = row.items[0].write(given) if keys else b""
        return octets + bytes(max((row.size or 2) - len(octets), 0))
    if action == COMMAND and not words:
        return bytes(row.size or 0)
    try:
        return row.encode(_values(row, words, list(fields)))
    except CommandError:
        raise
    except ValueError as error:
        raise CommandError(f"{row.name}: {error}") from error


def _values(row: ManagementId, words: list[str], wanted: list[str]) -> dict[str, Any]:
    """Names and values, or the value alone where there is but one."""
    if len(wanted) == 1 and len(words) == 1:
        words = [wanted[0], *words]
    usage = f"{row.name} takes " + (" ".join(f"{name} VALUE" for name in wanted) or "no values")
    if len(words) % 2:
        raise CommandError(usage)
    names = {name.lower(): name for name in wanted}
    values: dict[str, Any] = {}
    for word, text in zip(words[::2], words[1::2], strict=True):
        name = names.get(word.lower())
        if name is None:
            raise CommandError(f"{row.name} has no {word!r}; {usage}")
        try:
            values[name] = row.item_of(name).parse(name, text)
        except (ValueError, OverflowError) as error:
            raise CommandError(f"{row.name} {name}: {error}") from error
    missing = [name for name in wanted if name not in values]
    if missing:
        raise CommandError(f"{', '.join(missing)} is missing: {usage}")
    return values


# ---- answers --------------------------------------------------------------------------------------------------------


def answer_lines(message: Management) -> list[str]:
    """An answer in pmc's layout."""
    head = f"\t{message.source} seq {message.sequence_id} {ACTION_NAMES.get(message.action & 0x0F, '?')} "
    for tlv in message.tlvs:
        if isinstance(tlv, ManagementErrorStatus):
            rows = [("managementErrorId", management_error_name(tlv.error_id))]
            if tlv.display_data:
                rows.append(("displayData", safe_text(tlv.display_data)))
            return [f"{head}MANAGEMENT_ERROR_STATUS {management_id_name(tlv.management_id)}", *_columns(rows)]
        if isinstance(tlv, ManagementTlv):
            return [f"{head}MANAGEMENT {management_id_name(tlv.management_id)}", *_columns(_rows(tlv))]
    return [f"{head}without a management TLV"]


def _rows(tlv: ManagementTlv) -> list[tuple[str, str]]:
    row = MANAGEMENT_IDS.get(tlv.management_id)
    try:
        if row is not None:
            return row.rows(row.decode_prefix(tlv.data)[0]) if tlv.data else []
    except MalformedFrame as error:
        return [("malformed", str(error)), ("octets", tlv.data.hex())]
    return [("octets", tlv.data.hex())]


def _columns(rows: list[tuple[str, str]]) -> list[str]:
    width = max((len(label) for label, _ in rows), default=0)
    return [f"\t\t{label.ljust(width)} {text}" for label, text in rows]


def answer_json(message: Management) -> dict[str, Any]:
    """An answer for machines: who, to which request, and its fields or its error."""
    found: dict[str, Any] = {
        "from": str(message.source),
        "sequenceId": message.sequence_id,
        "domain": message.domain,
        "action": ACTION_NAMES.get(message.action & 0x0F, str(message.action & 0x0F)),
    }
    for tlv in message.tlvs:
        if isinstance(tlv, ManagementErrorStatus):
            error = {"raw": tlv.error_id, "meaning": management_error_name(tlv.error_id)}
            text = safe_text(tlv.display_data) if tlv.display_data else ""
            return found | {
                "managementId": management_id_name(tlv.management_id),
                "error": {**error, "displayData": text},
            }
        if isinstance(tlv, ManagementTlv):
            return found | {
                "managementId": management_id_name(tlv.management_id),
                "data": describe_data(tlv.management_id, tlv.data),
            }
    return found


def help_lines() -> list[str]:
    """Every id with its actions and what a SET takes."""
    lines = []
    for row in MANAGEMENT_IDS.values():
        actions = " ".join(name for name, key in (("GET", "G"), ("SET", "S"), ("COMMAND", "X")) if key in row.actions)
        takes = " ".join(row.fields) if "S" in row.actions or (row.actions == "X" and row.fields) else ""
        lines.append(f"  {actions:<16} {row.name}{'  ' + takes if takes else ''}")
    return [*lines, "  TARGET * | PORTIDENTITY | CLOCKIDENTITY-*"]
