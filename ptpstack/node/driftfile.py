"""The drift file: what clocks keep over a restart, on disk.

JSON, one entry per clock: its owner (node, clock, hardware), when it was written, and what the engine gave
(``engine/kept.py``). Rules:

1. It is replaced whole: written beside, renamed, and at the end of the node synced. While it runs nothing waits for a
   disk: what a power cut leaves in pieces is found damaged, and not used.
2. What is somebody else's, too old, from the future or implausible is not used, and a sentence says which and why.
3. Age is counted by CLOCK_BOOTTIME within one boot, by CLOCK_REALTIME across boots: at boot that may be wrong, and then
   an entry is refused rather than believed.
4. A file that cannot be written costs one warning, never the service.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

VERSION = 1
#: An oscillator is not the same after a month.
TOO_OLD_S = 30 * 86_400.0
#: Between two writings, ns.
INTERVAL_NS = 240 * 10**9
MAX_OCTETS = 1 << 20
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


@dataclass(frozen=True, slots=True)
class Moment:
    """When: CLOCK_REALTIME and CLOCK_BOOTTIME, s, and which boot the latter counts from."""

    realtime_s: float
    boottime_s: float
    boot: str

    @classmethod
    def now(cls) -> Moment:
        boot = ""
        with contextlib.suppress(OSError), open(_BOOT_ID, encoding="ascii") as file:
            boot = file.read(64).strip()
        return cls(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), boot)


def path_for(state_dir: str | None, control: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Where a node's drift file lies; None: nowhere. Named after the control socket, of which each node has its own."""
    if state_dir == "off":
        return None
    folder = state_dir or environment.get("STATE_DIRECTORY", "").split(":")[0] or os.path.dirname(control) or "."
    return os.path.join(folder, os.path.basename(control).removesuffix(".sock") + ".drift")


class DriftFile:
    def __init__(
        self, path: str, node: str, owners: Mapping[str, str], moment: Callable[[], Moment] = Moment.now
    ) -> None:
        """``owners``: what hardware each clock is."""
        self.path = path
        self._node = node
        #: looked up anew each time: a clock may become another piece of hardware
        self._owners = owners
        self._moment = moment
        #: why it could not be written last, or ""
        self.problem = ""

    # ---- reading ----------------------------------------------------------------------------------------------

    def read(self) -> tuple[dict[str, Any], list[str]]:
        """(what the engine may take up, sentences about what it may not). Raises nothing."""
        try:
            with open(self.path, "rb") as file:
                data = json.loads(file.read(MAX_OCTETS + 1)[:MAX_OCTETS])
            version, clocks = data["version"], dict(data["clocks"])
        except FileNotFoundError:
            return {}, []
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            return {}, [f"{self.path}: not used: it cannot be read ({error})"]
        if version != VERSION:
            return {}, [f"{self.path}: not used: version {version!r}, this program writes {VERSION}"]
        now = self._moment()
        kept: dict[str, Any] = {}
        notes: list[str] = []
        for name, entry in clocks.items():
            try:
                why, age_s = self._judge(name, entry, now)
                if not why:
                    kept[name] = {**entry["kept"], "age_s": age_s}
                    continue
            except (KeyError, TypeError, ValueError) as error:
                why = f"it is damaged ({error!r})"
            notes.append(f"{self.path}: clock {name!s:.40}: not used: {why}")
        return kept, notes

    def _judge(self, name: str, entry: Mapping[str, Any], now: Moment) -> tuple[str, float]:
        """(why an entry is not to be used, or "", and its age in s)."""
        owner = (str(entry["node"]), str(entry["hardware"]))
        if name not in self._owners:
            return "this node has no such clock", 0.0
        mine = (self._node, self._owners[name])
        if owner != mine:
            return f"it belongs to {owner[1]} of node {owner[0]}, this is {mine[1]} of {mine[0]}", 0.0
        written, boottime_s = float(entry["written_s"]), float(entry["boottime_s"])
        same_boot = bool(now.boot) and entry["boot"] == now.boot
        age_s = now.boottime_s - boottime_s if same_boot else now.realtime_s - written
        if not math.isfinite(age_s) or age_s < 0:
            return "it is from the future: the system clock was set back, or is not set yet", 0.0
        if age_s > TOO_OLD_S:
            return f"it is {age_s / 86_400:.0f} days old, and a month is the limit", 0.0
        frequency = entry["kept"]["frequency_ppb"]
        if frequency is not None and not math.isfinite(float(frequency)):
            return f"a frequency of {frequency} ppb is none", 0.0
        return "", age_s

    # ---- writing ----------------------------------------------------------------------------------------------

    def write(self, kept: Mapping[str, Any], *, sync: bool = False) -> str:
        """Replace the file; clocks of which nothing is known keep their entry. Why it could not be done, or "".

        ``sync``: wait until the disk has it.
        """
        now = self._moment()
        entries = {
            name: {
                "node": self._node,
                "hardware": self._owners[name],
                "written_s": now.realtime_s,
                "boottime_s": now.boottime_s,
                "boot": now.boot,
                "kept": entry,
            }
            for name, entry in kept.items()
        }
        if not entries:
            return self.problem
        text = json.dumps({"version": VERSION, "clocks": {**self._others(entries), **entries}}, indent=1)
        beside = f"{self.path}.new"
        try:
            fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            with open(fd, "w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                if sync:
                    os.fsync(file.fileno())
            os.replace(beside, self.path)
            self.problem = ""
        except OSError as error:
            self.problem = f"{self.path}: the drift file cannot be written: {error.strerror or error}"
        return self.problem

    def _others(self, entries: Mapping[str, Any]) -> dict[str, Any]:
        """What lies there of our clocks that are not written now."""
        try:
            with open(self.path, "rb") as file:
                clocks = dict(json.loads(file.read(MAX_OCTETS))["clocks"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return {}
        return {name: entry for name, entry in clocks.items() if name in self._owners and name not in entries}
