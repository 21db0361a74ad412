"""Who may be what: roles, classes, clock types."""

from __future__ import annotations

from ptpstack.config.findings import ERROR, NOTE, WARNING
from ptpstack.linuxptp.lint.rule import Hits, at, rule, scopes
from ptpstack.linuxptp.settings import Settings

#: linuxptp refuses masters beyond this, whatever clock_class_threshold says
_WORST_CLASS = 248
_CLASSES = {6, 7, 13, 14, 52, 58, 187, 193, 248, 255, *range(68, 123), *range(133, 171), *range(216, 233)}
_INTERNAL_OSCILLATOR = 0xA0


@rule("client-and-not-capable", ERROR)
def client_and_not_capable(s: Settings) -> Hits:
    """clientOnly 1 and gmCapable 0 together."""
    if s.number("clientOnly") and not s.number("gmCapable"):
        yield at(s, "gmCapable", "clientOnly says so already; ptp4l refuses both together", "remove gmCapable")


@rule("client-and-server", ERROR)
def client_and_server(s: Settings) -> Hits:
    """A port that may neither serve nor follow."""
    for port in scopes(s):
        if s.number("clientOnly") and s.number("serverOnly", port):
            yield at(
                s, "serverOnly", "the clock is clientOnly: this port can be nothing", "remove one of the two", port
            )


@rule("client-of-several-ports", WARNING)
def client_of_several_ports(s: Settings) -> Hits:
    """clientOnly on a boundary clock, which then serves nobody."""
    if s.number("clientOnly") and len(s.ports) > 1:
        yield at(
            s,
            "clientOnly",
            f"a boundary clock of {len(s.ports)} ports that serves nobody",
            "keep one port, or remove it",
        )


@rule("class-255", WARNING)
def class_255(s: Settings) -> Hits:
    """A clockClass that linuxptp's own clients refuse to follow."""
    if s.number("clockClass") > _WORST_CLASS and not s.number("clientOnly") and s.number("gmCapable"):
        yield at(
            s,
            "clockClass",
            f"clients of linuxptp drop a master of class above {_WORST_CLASS}",
            "use 248, or clientOnly 1",
        )


@rule("class-never-follows", WARNING)
def class_never_follows(s: Settings) -> Hits:
    """A clockClass up to 127, which forbids to follow, on a clock that is to follow."""
    if s.number("clockClass") <= 127 and s.number("clientOnly"):
        yield at(
            s, "clockClass", "up to 127 means a clock that follows nobody; clientOnly makes it 255", "remove clockClass"
        )


@rule("class-without-source", WARNING)
def class_without_source(s: Settings) -> Hits:
    """A clockClass of a primary reference with the internal oscillator as timeSource."""
    if s.number("clockClass") in (6, 7, 13, 14) and s.number("timeSource") == _INTERNAL_OSCILLATOR:
        yield at(
            s,
            "clockClass",
            "claims a primary reference, and timeSource says internal oscillator",
            "set timeSource, 0x20 for GNSS",
        )


@rule("class-reserved", NOTE)
def class_reserved(s: Settings) -> Hits:
    """A clockClass without a meaning (7.6.2.5)."""
    if s.number("clockClass") not in _CLASSES:
        yield at(s, "clockClass", "is reserved by IEEE 1588-2019 7.6.2.5", "use 6, 7, 52, 187 or 248")


@rule("class-threshold", WARNING)
def class_threshold(s: Settings) -> Hits:
    """clock_class_threshold that drops every master without a reference, and those in holdover."""
    if s.number("clock_class_threshold") < 52:
        yield at(
            s,
            "clock_class_threshold",
            "a grandmaster that loses its reference is dropped at once, and so is every other",
            "use 135 or more, so that holdover counts",
        )


@rule("boundary-of-one", ERROR)
def boundary_of_one(s: Settings) -> Hits:
    """clock_type BC or a TC with fewer than two ports."""
    kind = s.text("clock_type")
    if kind != "OC" and len(s.ports) == 1:
        yield at(s, "clock_type", f"{kind} needs two ports; ptp4l refuses", "add a port, or use OC")


@rule("ordinary-of-several", NOTE)
def ordinary_of_several(s: Settings) -> Hits:
    """An ordinary clock of several ports is a boundary clock."""
    if s.text("clock_type") == "OC" and s.setting("clock_type") is not None and len(s.ports) > 1:
        yield at(s, "clock_type", f"{len(s.ports)} ports make it a boundary clock", "write BC")


@rule("transparent-mechanism", ERROR)
def transparent_mechanism(s: Settings) -> Hits:
    """A transparent clock of one kind with the delay mechanism of the other."""
    wanted = {"E2E_TC": "E2E", "P2P_TC": "P2P"}.get(s.text("clock_type"))
    for port in scopes(s):
        if wanted and s.text("delay_mechanism", port) != wanted:
            yield at(
                s, "delay_mechanism", f"a {s.text('clock_type')} needs {wanted}; ptp4l refuses", f"use {wanted}", port
            )


@rule("spanning-tree-idle", WARNING)
def spanning_tree_idle(s: Settings) -> Hits:
    """tc_spanning_tree on a clock that is no transparent one."""
    if s.number("tc_spanning_tree") and not s.text("clock_type").endswith("TC"):
        yield at(s, "tc_spanning_tree", "has no effect: this is no transparent clock", "remove it, or set clock_type")


@rule("static-without-role", ERROR)
def static_without_role(s: Settings) -> Hits:
    """BMCA noop and nobody to say which role."""
    for port in scopes(s):
        if s.text("BMCA", port) == "noop" and not (s.number("clientOnly") or s.number("serverOnly", port)):
            yield at(s, "BMCA", "noop needs serverOnly or clientOnly; ptp4l refuses", "add one of them", port)


@rule("delay-inhibited", ERROR)
def delay_inhibited(s: Settings) -> Hits:
    """inhibit_delay_req without asCapable true."""
    for port in scopes(s):
        if s.number("inhibit_delay_req", port) and s.text("asCapable", port) != "true":
            yield at(s, "inhibit_delay_req", "needs asCapable true; ptp4l refuses", "add asCapable true", port)


@rule("announce-inhibited", WARNING)
def announce_inhibited(s: Settings) -> Hits:
    """No Announce from a port that takes part in the election."""
    for port in scopes(s):
        if s.number("inhibit_announce", port) and s.text("BMCA", port) == "ptp":
            yield at(
                s, "inhibit_announce", "nobody can elect a clock that he does not hear", "use it with BMCA noop", port
            )


@rule("few-steps", WARNING)
def few_steps(s: Settings) -> Hits:
    """maxStepsRemoved that allows no boundary clock in between."""
    if s.number("maxStepsRemoved") <= 2:
        yield at(
            s, "maxStepsRemoved", "drops masters behind two boundary clocks", "use 255, or the longest chain there is"
        )


@rule("free-running-client", WARNING)
def free_running_client(s: Settings) -> Hits:
    """free_running on a client, which then never becomes SLAVE."""
    if s.number("free_running") and s.number("clientOnly"):
        yield at(
            s,
            "free_running",
            "the port stays UNCALIBRATED and the clock as it is",
            "remove it, unless measuring is all you want",
        )


@rule("utc-offset", WARNING)
def utc_offset(s: Settings) -> Hits:
    """utc_offset that is not TAI - UTC."""
    if s.number("utc_offset") != 37:
        yield at(s, "utc_offset", "TAI - UTC is 37 s since 2017: clients would be off by whole seconds", "remove it")


@rule("identity-malformed", WARNING)
def identity_malformed(s: Settings) -> Hits:
    """A clockIdentity that is none."""
    digits = s.text("clockIdentity").replace(".", "")
    if len(digits) != 16 or any(c not in "0123456789abcdefABCDEF" for c in digits) or digits.lower() == "f" * 16:
        yield at(s, "clockIdentity", "is not 16 hexadecimal digits of an identity", "write it as 001b21.fffe.aabbcc")
