"""The file of security associations, in linuxptp's format: one file serves ptp4l and ptpstack.

::

    [security_association]
    spp 1
    seqid_window 3
    allow_mutable 0
    1 SHA256-128 HEX:000102...1f
    2 AES128 B64:AAECAwQFBgcICQoLDA0ODw==

A key line is ``id algorithm [length] secret``; the secret is text unless it begins with ``HEX:`` or ``B64:`` (or
``ASCII:``). The last key of an association signs, unless a port names another; all are accepted.

Two rules: the file must not be open to everybody, and no message ever quotes a secret, nor a line that may hold one.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field

from ptpstack.config.data import read_file
from ptpstack.config.findings import ERROR, ConfigError, Finding, Report, show, suggest

HEADER = "[security_association]"
MAX_KEY_ID = 0xFFFFFFFF
#: a secret that can be guessed protects nothing
SHORT_SECRET = 16


@dataclass(frozen=True, slots=True)
class Algorithm:
    name: str
    icv_octets: int
    #: of the secret; 0: any
    secret_octets: int
    #: AES-CMAC, which the standard library does not have
    cmac: bool = False


ALGORITHMS = {
    a.name: a
    for a in (
        Algorithm("SHA256-128", 16, 0),
        Algorithm("SHA256", 32, 0),
        Algorithm("AES128", 16, 16, True),
        Algorithm("AES256", 16, 32, True),
    )
}


@dataclass(frozen=True, slots=True)
class KeyEntry:
    key_id: int
    algorithm: Algorithm
    secret: bytes = field(repr=False)


@dataclass(slots=True)
class AssociationEntry:
    spp: int
    seqid_window: int = 3
    allow_mutable: bool = False
    keys: dict[int, KeyEntry] = field(default_factory=dict)


def cmac_available() -> bool:
    """Whether the library for AES-CMAC is installed."""
    from importlib.util import find_spec

    return find_spec("cryptography") is not None


def read_associations(path: str) -> tuple[dict[int, AssociationEntry], list[str]]:
    """The associations of a file by SPP, and sentences about what is allowed and unwise.

    ConfigError with every finding, UnreadableError (a subclass) when it cannot be read or others may read it.
    """
    return parse_associations(read_file(path, _open_to_others), path)


def _open_to_others(found: os.stat_result) -> tuple[str, str] | None:
    mode = stat.S_IMODE(found.st_mode)
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        return (
            f"holds keys, and its mode {mode:04o} lets others at it",
            "chmod 600 it (or 640 with a group that only the node's user is in)",
        )
    return None


def parse_associations(octets: bytes, path: str = "") -> tuple[dict[int, AssociationEntry], list[str]]:
    """``read_associations`` of what a file holds."""
    parser = _Parser(path)
    for number, line in enumerate(octets.decode("utf-8", "replace").splitlines(), 1):
        text = line.strip()
        if text and not text.startswith("#"):
            parser.line(number, text)
    if not parser.found and not parser.report.failed:
        parser.error(0, "has no security association", f"begin with {HEADER}, spp N and a key line")
    for spp, entry in parser.found.items():
        if not entry.keys and not parser.report.failed:
            parser.error(0, f"the association with spp {spp} has no key", "add a line: id algorithm secret")
    if parser.report.failed:
        raise ConfigError(parser.report.sorted(), path)
    return parser.found, parser.notes


class _Parser:
    def __init__(self, path: str) -> None:
        self.report = Report()
        self.found: dict[int, AssociationEntry] = {}
        self.notes: list[str] = []
        self._path = path
        self._current: AssociationEntry | None = None

    def error(self, line: int, reason: str, fix: str) -> None:
        self.report.findings.append(Finding(ERROR, "", reason, fix, line or None))

    def line(self, number: int, text: str) -> None:
        if text.casefold() == HEADER:
            self._current = None
            return
        if text.startswith("["):
            self.error(number, "is another section", f"only {HEADER} is known here")
            return
        word, *rest = text.split()
        if word == "spp":
            self._association(number, rest)
        elif word in ("seqid_window", "allow_mutable", "seqnum_length", "res_length"):
            self._setting(number, word, rest)
        elif word.isascii() and word.isdigit():
            self._key(number, int(word[:20]), rest)
        else:
            # not quoted: whoever has mistyped a key line does not want to find it in a log
            self.error(number, "is not understood", "spp, seqid_window, allow_mutable, or: id algorithm secret")

    def _number(self, line: int, name: str, rest: list[str], high: int) -> int | None:
        value = int(rest[0][:10]) if len(rest) == 1 and rest[0].isascii() and rest[0].isdigit() else -1
        if not 0 <= value <= high:
            self.error(line, f"{name} is not a number from 0 to {high}", f"write: {name} N")
            return None
        return value

    def _association(self, line: int, rest: list[str]) -> None:
        spp = self._number(line, "spp", rest, 255)
        if spp is None:
            self._current = AssociationEntry(-1)  # so that what follows is not found fault with, too
        elif spp in self.found:
            self.error(line, f"there is an association with spp {spp} already", "give each its own number")
            self._current = AssociationEntry(spp)
        else:
            self._current = self.found[spp] = AssociationEntry(spp)

    def _setting(self, line: int, name: str, rest: list[str]) -> None:
        high = {"seqid_window": 0x7FFF, "allow_mutable": 1}.get(name, 0)
        value = self._number(line, name, rest, high)
        if self._current is None:
            self.error(line, f"{name} stands before any spp", "write spp N above it")
        elif value is not None and name == "seqid_window":
            self._current.seqid_window = value
        elif value is not None and name == "allow_mutable":
            self._current.allow_mutable = bool(value)

    def _key(self, line: int, key_id: int, rest: list[str]) -> None:
        if self._current is None:
            self.error(line, "a key stands before any spp", "write spp N above it")
            return
        if not 1 <= key_id <= MAX_KEY_ID:
            self.error(line, f"a keyID is a number from 1 to {MAX_KEY_ID}", "give the key such a number")
            return
        if key_id in self._current.keys:
            self.error(line, f"keyID {key_id} is taken in this association", "give each key its own number")
            return
        if not 2 <= len(rest) <= 3:
            self.error(line, f"key {key_id}: not id, algorithm, secret", "write: id algorithm [length] secret")
            return
        algorithm = self._algorithm(line, key_id, rest[0])
        secret = self._secret(line, key_id, rest[-1])
        if algorithm is None or secret is None:
            return
        wanted = algorithm.secret_octets
        if len(rest) == 3:
            stated = int(rest[1][:5]) if rest[1].isascii() and rest[1].isdigit() else -1
            if stated not in (0, len(secret)):
                self.error(
                    line, f"key {key_id}: the secret has {len(secret)} octets, not {stated}", "correct one of them"
                )
                return
        if wanted and len(secret) != wanted:
            self.error(
                line,
                f"key {key_id}: {algorithm.name} needs a secret of {wanted} octets, this has {len(secret)}",
                f"make one: openssl rand -hex {wanted}, and write it with HEX: before it",
            )
            return
        if len(secret) < SHORT_SECRET:
            self.notes.append(
                f"{self._path}: the secret of key {key_id} (spp {self._current.spp}) has {len(secret)} octets and can "
                f"be guessed; make one of {SHORT_SECRET} or more: openssl rand -hex 32"
            )
        self._current.keys[key_id] = KeyEntry(key_id, algorithm, secret)

    def _algorithm(self, line: int, key_id: int, name: str) -> Algorithm | None:
        algorithm = ALGORITHMS.get(name.upper())
        if algorithm is None:
            near = suggest(name.upper(), ALGORITHMS) if len(name) <= 12 else None
            hint = f'did you mean "{near}"? ' if near else ""
            self.error(line, f"key {key_id}: unknown algorithm", f"{hint}use one of: {', '.join(ALGORITHMS)}")
        elif algorithm.cmac and not cmac_available():
            self.error(
                line,
                f"key {key_id}: {algorithm.name} (AES-CMAC) needs the Python package {show('cryptography')}, which is "
                "not installed",
                "pip install 'ptpstack[security]', or use SHA256-128 on every node",
            )
            return None
        return algorithm

    def _secret(self, line: int, key_id: int, text: str) -> bytes | None:
        # like what else is imported late here: only who has keys needs it
        from base64 import b64decode

        try:
            if text.startswith("HEX:"):
                secret = bytes.fromhex(text[4:])
            elif text.startswith("B64:"):
                secret = b64decode(text[4:], validate=True)
            else:
                secret = text.removeprefix("ASCII:").encode()
        except ValueError:
            self.error(
                line, f"key {key_id}: the secret is not {text[:3]}", "HEX: is two digits an octet, B64: is Base64"
            )
            return None
        if not secret:
            self.error(
                line, f"key {key_id}: the secret is empty", "make one: openssl rand -hex 32, with HEX: before it"
            )
            return None
        return secret
