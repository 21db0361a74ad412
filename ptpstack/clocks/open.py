"""Which PTP hardware clocks this machine has, from sysfs. Opens no device."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from pathlib import Path

from ptpstack.clocks.base import ClockError
from ptpstack.clocks.errors import clock_error

#: Clocks of hypervisors: read-only, and they show the host's UTC, not TAI (linux driver names).
_GUEST_CLOCKS = ("kvm virtual ptp", "hyperv", "ptp_vmw", "vmclock", "ena-ptp")


@dataclass(frozen=True, slots=True)
class ClockDescription:
    """One /dev/ptpN. The index is not stable across boots; ``name`` and ``interfaces`` identify the hardware."""

    index: int
    path: str
    name: str
    max_adjustment_ppb: int
    external_timestamps: int
    periodic_outputs: int
    pins: int
    pps: bool
    #: indices of the virtual clocks that run on it
    virtual_clocks: tuple[int, ...]
    #: a virtual clock: the index of the clock that it runs on
    physical: int | None
    #: network interfaces whose device owns this clock (most PCI NICs; PHYs and switches do not show here)
    interfaces: tuple[str, ...]
    #: what to know before using it as a PTP clock, or ""
    warning: str


def describe_clocks(sysfs: str = "/sys") -> list[ClockDescription]:
    """All PTP clocks, by index; [] when there are none. A clock that vanishes meanwhile is left out."""
    root = Path(sysfs)
    owners: dict[str, list[str]] = {}
    for link in root.glob("class/net/*/device/ptp/ptp*"):
        owners.setdefault(link.name, []).append(link.parts[-4])
    found = []
    for folder in root.glob("class/ptp/ptp*"):
        try:
            found.append(_describe(folder, tuple(sorted(owners.get(folder.name, ())))))
        except (OSError, ValueError):
            continue
    return sorted(found, key=lambda clock: clock.index)


def set_virtual_clocks(path: str, number: int, sysfs: str = "/sys") -> None:
    """Make or remove virtual clocks on a PHC until there are ``number``. ClockError. The PHC itself then runs free."""
    file = Path(sysfs) / "class/ptp" / Path(path).name / "n_vclocks"
    operation = f"set the number of virtual clocks to {number}"
    try:
        file.write_text(f"{number}\n")
    except FileNotFoundError as error:
        text = f"{path}: {operation} failed: it offers none (no such clock, or a kernel before 5.14)"
        raise ClockError(errno.ENOENT, text) from error
    except OSError as error:
        raise clock_error(path, operation, error) from error


def _describe(folder: Path, interfaces: tuple[str, ...]) -> ClockDescription:
    name = (folder / "clock_name").read_text().strip()
    max_adjustment = _number(folder, "max_adjustment")
    virtual_clocks = tuple(sorted(_index(path) for path in folder.glob("ptp*")))
    parent = (folder / "device").resolve().name
    physical = int(parent.removeprefix("ptp")) if re.fullmatch(r"ptp\d+", parent) else None
    warning = ""
    if name.lower().startswith(_GUEST_CLOCKS):
        warning = "a hypervisor's clock: read-only, shows the host's UTC and not TAI"
    elif max_adjustment == 0:
        warning = "cannot be steered"
    elif virtual_clocks:
        warning = "virtual clocks run on it: stepping and steering may be refused"
    elif physical is not None:
        warning = f"a virtual clock on ptp{physical}: no inputs, no outputs"
    return ClockDescription(
        index=_index(folder),
        path=f"/dev/{folder.name}",
        name=name,
        max_adjustment_ppb=max_adjustment,
        external_timestamps=_number(folder, "n_external_timestamps"),
        periodic_outputs=_number(folder, "n_periodic_outputs"),
        pins=_number(folder, "n_programmable_pins"),
        pps=bool(_number(folder, "pps_available")),
        virtual_clocks=virtual_clocks,
        physical=physical,
        interfaces=interfaces,
        warning=warning,
    )


def _index(folder: Path) -> int:
    return int(folder.name.removeprefix("ptp"))


def _number(folder: Path, attribute: str) -> int:
    """0 for an attribute that this kernel does not have yet."""
    try:
        return int((folder / attribute).read_text())
    except FileNotFoundError:
        return 0
