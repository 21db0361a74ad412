"""The door of this room: look at everything, in order, and say what was found and what could not be looked at."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from ptpstack.clocks.open import describe_clocks
from ptpstack.clocks.system import SystemClock
from ptpstack.doctor.findings import CATALOGUE, SEVERITIES, Finding, Kind, Unseen, by_severity, exit_code
from ptpstack.doctor.probes import (
    bridges,
    clocks,
    daemons,
    firewall,
    layers,
    leap,
    links,
    multicast,
    nodes,
    platform,
    ports,
    rights,
    stamping,
)
from ptpstack.doctor.site import Wishes
from ptpstack.doctor.traffic import exchanges, expected, masters, mechanisms, scale, stamps
from ptpstack.doctor.traffic.census import Census
from ptpstack.doctor.traffic.listen import Ear, listen
from ptpstack.net import abilities, device
from ptpstack.net.layers import layers_of
from ptpstack.node.client import default_socket
from ptpstack.timebase.leap import LeapTable

_T = TypeVar("_T")
#: (seconds gone, seconds in all, census so far)
Progress = Callable[[float, float, Census], None]


@dataclass(slots=True)
class Examination:
    interfaces: tuple[str, ...]
    listened_s: float = 0.0
    frames: int = 0
    findings: list[Finding] = field(default_factory=list)
    unseen: list[Unseen] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        return exit_code(self.findings)

    def as_dict(self) -> dict[str, Any]:
        counts = {severity: sum(f.severity == severity for f in self.findings) for severity in SEVERITIES}
        return {
            "interfaces": list(self.interfaces),
            "listened_s": round(self.listened_s, 3),
            "frames": self.frames,
            "counts": counts,
            "findings": [finding.as_dict() for finding in self.findings],
            "not_looked_at": [unseen.as_dict() for unseen in self.unseen],
        }


def catalogue() -> list[Kind]:
    """Every kind of finding there is: importing this module has declared them all."""
    return list(CATALOGUE.values())


def present_interfaces() -> tuple[str, ...]:
    """Where nobody says where to look: Ethernet interfaces that are switched on, but no bridges and their ports, which
    are mostly those of containers."""
    found: list[str] = []
    bridged: list[str] = []
    for _, name in socket.if_nameindex():
        try:
            if device.flags_of(name) & device.IFF_UP and device.hardware_address_of(name)[0] == device.ARPHRD_ETHER:
                (found if bridges.look(name) is None else bridged).append(name)
        except OSError:
            continue
    return tuple(found or bridged)


def examine(
    interfaces: Sequence[str],
    wishes: Wishes | None = None,
    *,
    listen_s: float = 10.0,
    switch_on: bool = False,
    progress: Progress | None = None,
) -> Examination:
    """Look at the machine, then at ``interfaces`` (none: those of ``wishes``, else all that are up), then listen."""
    wishes = wishes or Wishes()
    asked = bool(interfaces or wishes.interfaces)
    names = tuple(dict.fromkeys((*interfaces, *wishes.interfaces))) or present_interfaces()
    result = Examination(names)
    look = _Look(result, wishes)
    look.machine()
    if not names:
        result.findings.append(links.NONE_UP("this machine", "there is nothing to look at or to listen on"))
    there = [name for name in names if look.interface(name, asked=asked, switch_on=switch_on)]
    if listen_s > 0:
        look.network(there, listen_s, progress)
    else:
        result.unseen.append(Unseen("PTP on the wire", "told not to listen", "--listen 10"))
        look.passage(there, Census())
    result.findings = by_severity(result.findings)
    return result


class _Look:
    def __init__(self, result: Examination, wishes: Wishes) -> None:
        self._result = result
        self._wishes = wishes
        self._leap = LeapTable.built_in()
        self._switched_on: set[str] = set()

    def _ask(self, what: str, look: Callable[[], _T]) -> _T | None:
        """What ``look`` gives; None, and an entry of what was not seen, when the kernel refuses."""
        try:
            return look()
        except OSError as error:
            refused = error.errno in (errno.EPERM, errno.EACCES)
            how = "run as root" if refused else "see the kernel's log (dmesg)"
            self._result.unseen.append(Unseen(what, error.strerror or str(error), how))
            return None

    def machine(self) -> None:
        add = self._result.findings.extend
        wishes = self._wishes
        devices = [clock.path for clock in describe_clocks()]
        add(rights.judge(rights.look(devices)))
        seen = leap.look(wishes.leap_file)
        self._leap = seen.table or LeapTable.find()
        add(leap.judge(seen))
        if (kept := self._ask("the system clock", lambda: clocks.look(self._leap))) is not None:
            add(clocks.judge(kept))
        if (taken := self._ask("UDP ports 319 and 320", ports.look)) is not None:
            add(ports.judge(taken))
            if any(not entry.socket.owners for entry in taken):
                self._unseen("who has UDP ports 319 and 320", "programs of other users cannot be seen", "run as root")
        control = wishes.control or default_socket()
        add(nodes.judge(self._ask("the running node", partial(nodes.look, control))))
        add(platform.judge(platform.look(wishes.scheduling_priority)))

    def _unseen(self, what: str, why: str, how: str) -> None:
        entry = Unseen(what, why, how)
        if entry not in self._result.unseen:
            self._result.unseen.append(entry)

    def interface(self, name: str, *, asked: bool, switch_on: bool) -> bool:
        """False when there is nothing to listen on."""
        add = self._result.findings.extend
        link = links.look(name, asked=asked)
        add(links.judge(link))
        if link.flags is None:
            return False
        transports = self._wishes.transports(name)
        add(layers.judge(layers.look(name)))
        if link.flags & device.IFF_UP:
            tried = self._ask(f"time stamps of {name}", partial(stamping.look, name, switch=switch_on))
            add(stamping.judge(tried) if tried is not None else [])
        add(bridges.judge(self._ask(f"the bridge of {name}", partial(bridges.look, name, transports))))
        return bool(link.flags & device.IFF_UP)

    def network(self, names: Sequence[str], seconds: float, progress: Progress | None) -> None:
        census = Census()
        if not names:
            self._unseen("PTP on the wire", "no interface is up", "ip link set dev INTERFACE up")
        ears = [ear for name in names if (ear := self._ask(f"PTP on {name}", partial(Ear, name))) is not None]
        if ears:
            for ear in ears:
                setting = abilities.current(layers_of(ear.interface)[-1].name)
                if setting is not None and setting.rx_filter != abilities.FILTER_NONE:
                    self._switched_on.add(ear.interface)
            try:
                listen(ears, seconds, census.take, lambda gone: progress(gone, seconds, census) if progress else None)
            finally:
                census.overrun = sum(ear.drops() for ear in ears)
                for ear in ears:
                    ear.close()
            if census.overrun:
                self._unseen("some PTP frames", f"{census.overrun} came faster than they could be read", "a capture")
            self._result.listened_s = seconds
            self._result.frames = census.frames
            self.traffic(census)
        self.passage(names, census)

    def passage(self, names: Sequence[str], census: Census) -> None:
        """What needs to know what was heard: who steers, what the kernel lets through."""
        add = self._result.findings.extend
        serving = frozenset((m.place.interface, m.place.domain) for m in census.masters() if m.local)
        if (known := self._ask("other programs", partial(daemons.look, self._wishes.steered, serving))) is not None:
            add(daemons.judge(known))
            if not all(program.network for program in known.programs):
                self._unseen("network namespaces of other users' programs", "needs CAP_SYS_PTRACE", "run as root")
        for name in names:
            wanted = self._wishes.transports(name)
            heard = {place.transport for place, _ in census.places() if place.interface == name}
            used = frozenset(heard | {expected.TRANSPORTS[transport] for transport in wanted})
            filtered = self._ask(f"the packet filter of {name}", partial(firewall.look, name, used))
            if isinstance(filtered, Unseen):
                self._unseen(filtered.what, filtered.why, filtered.how)
            elif filtered is not None:
                add(firewall.judge(filtered))
            sources = frozenset(census.sources.get(name, ()))
            routes = self._ask(f"routes of {name}", partial(multicast.look, name, sources, wanted))
            add(multicast.judge(routes) if routes is not None else [])

    def traffic(self, census: Census) -> None:
        add = self._result.findings.extend
        now_s = SystemClock(self._leap).cross_reading().realtime_ns // 1_000_000_000
        declared = self._ask("the system clock", lambda: SystemClock(self._leap).status().synchronised)
        add(masters.judge(census))
        add(exchanges.judge(census))
        add(mechanisms.judge(census))
        add(scale.judge(census, scale.Time(self._leap, now_s, bool(declared))))
        add(expected.judge(census, self._wishes.expected))
        add(stamps.judge(census, frozenset(self._switched_on)))
        if census.unheeded:
            self._unseen("some speakers", f"{census.unheeded} frames beyond the limit of speakers", "look per domain")
