"""May this process make namespaces? As root yes; an ordinary user becomes root of a user namespace of its own."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from ptpstack.lab import linux
from ptpstack.lab.errors import LabError

_CAP_SYS_ADMIN, _CAP_NET_ADMIN, _CAP_SYS_TIME = 21, 12, 25
CAP_SYS_TIME = _CAP_SYS_TIME

#: (file under /proc/sys, does this value forbid it, how the sysctl is set)
_SWITCHES = (
    ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "kernel.apparmor_restrict_unprivileged_userns=0"),
    ("user/max_user_namespaces", "0", "user.max_user_namespaces=10000"),
    ("user/max_net_namespaces", "0", "user.max_net_namespaces=10000"),
)


def _effective_capabilities() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def can_make_namespaces() -> bool:
    """CAP_SYS_ADMIN and CAP_NET_ADMIN in the current user namespace."""
    effective = _effective_capabilities()
    return bool(effective >> _CAP_SYS_ADMIN & 1 and effective >> _CAP_NET_ADMIN & 1)


def forbidding_sysctls(proc_sys: Path = Path("/proc/sys")) -> list[str]:
    """The sysctl settings that would allow user namespaces, for those that forbid them now."""
    found = []
    for name, forbidding, remedy in _SWITCHES:
        try:
            if (proc_sys / name).read_text().strip() == forbidding:
                found.append(remedy)
        except OSError:
            continue  # this kernel has no such switch
    return found


def gain_namespaces() -> bool:
    """Make sure that this process may make network namespaces; True when it had to enter a user namespace for that.

    The whole process moves (its user is mapped to root inside, outside it stays who it was), so this is for commands,
    not for libraries. LabError, with the sysctl that would help, when the kernel does not allow it.
    """
    if can_make_namespaces():
        return False
    if threading.active_count() > 1:
        raise LabError("a process with several threads cannot enter a user namespace. Run the lab from its own command")
    user, group = os.geteuid(), os.getegid()
    try:
        linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNET | linux.CLONE_NEWNS)
        # without privilege outside, a group map is only taken once setgroups is denied (user_namespaces(7))
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    except OSError as error:
        remedies = forbidding_sysctls()
        advice = (
            "Run it as root, or let the administrator set " + " and ".join(f"sysctl -w {remedy}" for remedy in remedies)
            if remedies
            else "Run it as root: a security module or container forbids user namespaces here "
            "(sysctls user.max_user_namespaces, kernel.unprivileged_userns_clone, "
            "kernel.apparmor_restrict_unprivileged_userns)"
        )
        raise LabError(
            f"network namespaces need root or a user namespace, and the kernel refused one: {error}. {advice}"
        ) from error
    return True
