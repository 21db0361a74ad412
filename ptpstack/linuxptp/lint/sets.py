"""Several configurations together: of one machine, or of two that are to work with each other.

That two files are of one machine shows in an interface that both name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from ptpstack.config.findings import ERROR, WARNING
from ptpstack.linuxptp.lint.rule import Hit, Hits, at, can_follow, scopes, set_rule
from ptpstack.linuxptp.settings import Settings


def _client(s: Settings) -> bool:
    return bool(s.number("clientOnly"))


def _of_ptp4l(sets: Sequence[Settings]) -> list[Settings]:
    return [s for s in sets if not s.of_ts2phc]


def _shared(one: Settings, other: Settings) -> list[str]:
    return [port for port in one.ports if port in other.ports]


def _transports(s: Settings) -> set[str]:
    return {s.text("network_transport", port) for port in scopes(s)}


def _meant_for_each_other(sets: Sequence[Settings]) -> Iterator[tuple[Settings, Settings]]:
    """(client or either, other) of two machines."""
    for one, other in combinations(_of_ptp4l(sets), 2):
        if not _shared(one, other):
            if _client(one) and not _client(other):
                yield one, other
            elif not _client(one):
                yield other, one


@set_rule("domain-unserved", WARNING)
def domain_unserved(sets: Sequence[Settings]) -> Hits:
    """A client in a domain that no server here is in."""
    served = {s.number("domainNumber") for s in _of_ptp4l(sets) if not _client(s)}
    for s in _of_ptp4l(sets):
        if _client(s) and served and s.number("domainNumber") not in served:
            have = ", ".join(map(str, sorted(served)))
            yield at(
                s, "domainNumber", f"the others serve domain {have}: frames of it are ignored in silence", f"use {have}"
            )


def _same_domain(sets: Sequence[Settings]) -> Iterator[tuple[Settings, Settings]]:
    for one, other in _meant_for_each_other(sets):
        if one.number("domainNumber") == other.number("domainNumber"):
            yield one, other


@set_rule("transport-mismatch", WARNING)
def transport_mismatch(sets: Sequence[Settings]) -> Hits:
    """One speaks UDP, the other Ethernet."""
    for one, other in _same_domain(sets):
        if not _transports(one) & _transports(other):
            there = ", ".join(sorted(_transports(other)))
            port = scopes(one)[0]
            yield at(
                one,
                "network_transport",
                f"{other.file.path} has {there}: they do not hear each other",
                f"use {there}",
                port,
            )


@set_rule("mechanism-mismatch", WARNING)
def mechanism_mismatch(sets: Sequence[Settings]) -> Hits:
    """End-to-end here, peer delay there: no delay is ever measured."""
    for one, other in _same_domain(sets):
        mine = {one.text("delay_mechanism", port) for port in scopes(one)}
        theirs = {other.text("delay_mechanism", port) for port in scopes(other)}
        if _transports(one) & _transports(other) and not mine & theirs and "Auto" not in mine | theirs:
            there = ", ".join(sorted(theirs))
            port = scopes(one)[0]
            yield at(
                one,
                "delay_mechanism",
                f"{other.file.path} has {there}: no delay is ever measured",
                f"use {there}",
                port,
            )


@set_rule("sdo-mismatch", WARNING)
def sdo_mismatch(sets: Sequence[Settings]) -> Hits:
    """Another transportSpecific: every frame is dropped."""
    for one, other in _same_domain(sets):
        port, there = scopes(one)[0], other.number("transportSpecific", scopes(other)[0])
        if one.number("transportSpecific", port) != there and not one.number("ignore_transport_specific", port):
            yield at(
                one, "transportSpecific", f"{other.file.path} has {there}: every frame is dropped", f"use {there}", port
            )


@set_rule("timeout-mismatch", WARNING)
def timeout_mismatch(sets: Sequence[Settings]) -> Hits:
    """A client that gives its master up before the next Announce."""
    for one, other in _same_domain(sets):
        port = scopes(one)[0]
        waits = one.number("announceReceiptTimeout", port) * 2.0 ** one.number("logAnnounceInterval", port)
        comes = 2.0 ** other.number("logAnnounceInterval", scopes(other)[0])
        if waits <= comes:
            reason = f"after {waits:g} s a master is given up, and {other.file.path} announces itself every {comes:g} s"
            yield at(one, "logAnnounceInterval", reason, "give both the same logAnnounceInterval", port)


@set_rule("unicast-not-served", WARNING)
def unicast_not_served(sets: Sequence[Settings]) -> Hits:
    """A client asks for unicast, and nobody grants it."""
    for one, other in _same_domain(sets):
        asks = [port for port in scopes(one) if one.number("unicast_master_table", port)]
        serves = any(other.number("unicast_listen", port) for port in scopes(other))
        if asks and not serves:
            yield at(other, "unicast_listen", f"{one.file.path} asks for unicast service", "add unicast_listen 1")
        elif serves and not asks and all(other.number("inhibit_multicast_service", p) for p in scopes(other)):
            reason = f"{other.file.path} serves those only who negotiate"
            yield at(one, "unicast_master_table", reason, "add a [unicast_master_table]", scopes(one)[0])


@set_rule("static-against-election", WARNING)
def static_against_election(sets: Sequence[Settings]) -> Hits:
    """One sends no Announce, the other waits for it."""
    for one, other in _same_domain(sets):
        silent = all(other.number("inhibit_announce", port) for port in scopes(other))
        port = scopes(one)[0]
        if silent and one.text("BMCA", port) == "ptp":
            yield at(one, "BMCA", f"{other.file.path} sends no Announce: nobody is ever elected", "use BMCA noop", port)


@set_rule("security-mismatch", WARNING)
def security_mismatch(sets: Sequence[Settings]) -> Hits:
    """One signs, the other does not, or by another association."""
    for one, other in _same_domain(sets):
        port, there = scopes(one)[0], other.number("spp", scopes(other)[0])
        if one.number("spp", port) != there:
            yield at(one, "spp", f"{other.file.path} has {there}: messages are refused", f"use {there}", port)


@set_rule("two-masters-alike", WARNING)
def two_masters_alike(sets: Sequence[Settings]) -> Hits:
    """Two grandmasters between which only an accident of MAC addresses decides."""
    keys = ("priority1", "clockClass", "clockAccuracy", "offsetScaledLogVariance", "priority2", "domainNumber")
    servers = [s for s in _of_ptp4l(sets) if not _client(s) and s.number("clockClass") < 248]
    for one, other in combinations(servers, 2):
        if not _shared(one, other) and all(one.number(key) == other.number(key) for key in keys):
            yield at(
                other, "priority2", f"{one.file.path} is as good: the lower identity wins", "give the first one 1 less"
            )


@set_rule("socket-shared", ERROR)
def socket_shared(sets: Sequence[Settings]) -> Hits:
    """Two ptp4l of one machine on one management socket."""
    for one, other in combinations(_of_ptp4l(sets), 2):
        if _shared(one, other) and one.text("uds_address") == other.text("uds_address"):
            yield at(other, "uds_address", f"{one.file.path} has it too: the second takes it away", "give each its own")


@set_rule("domain-shared", ERROR)
def domain_shared(sets: Sequence[Settings]) -> Hits:
    """Two ptp4l of one interface in one domain."""
    for one, other in combinations(_of_ptp4l(sets), 2):
        for port in _shared(one, other):
            if one.number("domainNumber") == other.number("domainNumber"):
                yield at(other, "domainNumber", f"{one.file.path} has it on {port} too", "give each its own domain")


@set_rule("two-servos-one-clock", WARNING)
def two_servos_one_clock(sets: Sequence[Settings]) -> Hits:
    """Two ptp4l that may both steer the clock of one interface."""
    for one, other in combinations(_of_ptp4l(sets), 2):
        both = [s for s in (one, other) if can_follow(s) and not s.number("free_running")]
        software = all(s.text("time_stamping") == "software" for s in (one, other))
        if len(both) == 2 and (_shared(one, other) or software):
            shared = _shared(one, other)
            where = f"the clock of {shared[0]}" if shared else "the system clock"
            reason = f"{one.file.path} steers {where} too: they pull it to and fro"
            yield at(other, "free_running", reason, "set free_running 1 in one, or give it a virtual clock (phc_index)")


@set_rule("ts2phc-and-ptp4l", WARNING)
def ts2phc_and_ptp4l(sets: Sequence[Settings]) -> Hits:
    """ts2phc and ptp4l that steer one clock."""
    pulsed = [s for s in sets if s.of_ts2phc]
    for one in pulsed:
        for other in _of_ptp4l(sets):
            for port in _shared(one, other):
                if not one.number("ts2phc.master", port) and can_follow(other) and not other.number("free_running"):
                    line = one.file.ports.get(port, 0)
                    reason = f"{other.file.path} may follow a master with the same clock"
                    yield Hit(one, line, f"[{port}]", reason, "make that ptp4l serverOnly or free_running")
