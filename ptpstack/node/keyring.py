"""The keys of a running node: read at start, read again on SIGHUP or by ``ptpstack keys --reload``.

A file that will not do changes nothing: what was in force stays in force, and the reason is told.
"""

from __future__ import annotations

from typing import Any

from ptpstack.config.findings import ConfigError, Finding
from ptpstack.config.keys import KeyStore
from ptpstack.config.model import Site
from ptpstack.config.sa_file import read_associations
from ptpstack.config.security_checks import missing_keys
from ptpstack.engine.engine import Engine
from ptpstack.protocol.security import association_as_dict


class KeyFileError(Exception):
    """The file of security associations cannot be used: which, why, and what to do. Never a secret."""


def _in_one_line(finding: Finding) -> str:
    where = f"line {finding.line}: " if finding.line else ""
    return f"{where}{finding.reason}; {finding.fix}"


class Keyring:
    def __init__(self, site: Site) -> None:
        """KeyFileError when the file cannot be used."""
        assert site.node.sa_file is not None
        self.path = site.node.sa_file
        self.store = KeyStore()
        self.load(site)

    def load(self, site: Site) -> list[str]:
        """Read the file (again). Sentences worth a warning; KeyFileError, and nothing changed, when it will not do."""
        try:
            entries, notes = read_associations(self.path)
        except ConfigError as error:
            raise KeyFileError(f"{self.path}: " + "; ".join(map(_in_one_line, error.findings))) from error
        missing = missing_keys(site, entries)
        if missing:
            raise KeyFileError(f"{self.path}: " + "; ".join(missing))
        self.store.replace(entries.values())
        return notes

    def missing(self, site: Site) -> list[str]:
        """What a site needs of the keys in force and does not find, in sentences."""
        return missing_keys(site, {association.spp: association for association in self.store.associations})

    def as_input(self) -> list[dict[str, Any]]:
        """What ``Engine.secure`` takes."""
        return [association_as_dict(association) for association in self.store.associations]


def keys_in_use(keyring: Keyring | None, engine: Engine) -> dict[str, Any]:
    """The associations in force, and what each port has done with their keys; JSON-ready, nothing in it is secret."""
    ports = [
        {"instance": name, "port": port.number, **port.security.as_dict()}
        for name, instance in engine.instances.items()
        for port in instance.ports
        if port.security is not None
    ]
    if keyring is None:
        return {"file": None, "associations": [], "ports": ports}
    return {"file": keyring.path, "associations": keyring.as_input(), "ports": ports}
