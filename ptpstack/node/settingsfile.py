"""What management has set and was told to keep (SAVE_IN_NON_VOLATILE_STORAGE), on disk beside the drift file.

JSON: the node it belongs to, and for each instance the requests to carry out again, each with who asked and when.
Replaced whole: written beside, renamed; nothing waits for the disk. Another node's file is not used.
"""

from __future__ import annotations

import json
import os
from typing import Any

VERSION = 1
MAX_OCTETS = 1 << 20
MAX_ENTRIES = 4096


def settings_path(drift_file: str) -> str:
    """Where they lie."""
    return drift_file.removesuffix(".drift") + ".settings"


class SettingsFile:
    def __init__(self, path: str, node: str) -> None:
        self.path = path
        self._node = node
        self._kept: dict[str, list[list[Any]]] = {}

    def read(self) -> tuple[dict[str, list[list[Any]]], str]:
        """(entries by instance, why there are none or ""). Raises nothing."""
        try:
            with open(self.path, "rb") as file:
                data = json.loads(file.read(MAX_OCTETS + 1)[:MAX_OCTETS])
            version, node = data["version"], data["node"]
            kept = {str(name): [list(entry) for entry in entries] for name, entries in data["instances"].items()}
        except FileNotFoundError:
            return {}, ""
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            return {}, f"{self.path}: settings are not used: it cannot be read ({error})"
        if version != VERSION:
            return {}, f"{self.path}: settings are not used: version {version!r}, this program writes {VERSION}"
        if node != self._node:
            return {}, f"{self.path}: settings are not used: they belong to node {node!s:.40}"
        if sum(map(len, kept.values())) > MAX_ENTRIES:
            return {}, f"{self.path}: settings are not used: more than {MAX_ENTRIES}"
        self._kept = kept
        return kept, ""

    def keep(self, instance: str, entries: list[list[Any]]) -> str:
        """In place of what was kept of that instance. Why it could not be written, or ""."""
        self._kept[instance] = entries
        if not entries:
            del self._kept[instance]
        text = json.dumps({"version": VERSION, "node": self._node, "instances": self._kept}, indent=1)
        beside = f"{self.path}.new"
        try:
            fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            with open(fd, "w", encoding="utf-8") as file:
                file.write(text + "\n")
            os.replace(beside, self.path)
        except OSError as error:
            return f"{self.path}: settings cannot be kept: {error.strerror or error}"
        return ""
