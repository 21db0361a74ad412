"""Time stamps, latencies, hardware."""

from __future__ import annotations

from ptpstack.config.findings import ERROR, NOTE, WARNING
from ptpstack.linuxptp.lint.rule import Hit, Hits, at, rule, scopes
from ptpstack.linuxptp.settings import Settings

_MILLISECOND = 1_000_000


@rule("one-step-software", ERROR)
def one_step_software(s: Settings) -> Hits:
    """One-step needs hardware that puts stamps into frames."""
    if not s.number("twoStepFlag") and s.text("time_stamping") in ("software", "legacy"):
        yield at(
            s, "twoStepFlag", "one-step with stamps that are not of the hardware; ptp4l refuses", "use twoStepFlag 1"
        )


@rule("two-step-overruled", WARNING)
def two_step_overruled(s: Settings) -> Hits:
    """twoStepFlag 1 beside one-step time stamping, which wins."""
    named = s.setting("twoStepFlag")
    if named is not None and named.value and s.text("time_stamping") in ("onestep", "p2p1step"):
        yield at(s, "twoStepFlag", f"time_stamping {s.text('time_stamping')} makes it 0", "remove one of the two")


@rule("one-step-by-flag", NOTE)
def one_step_by_flag(s: Settings) -> Hits:
    """twoStepFlag 0 turns hardware into onestep, which few network cards can."""
    if not s.number("twoStepFlag") and s.text("time_stamping") == "hardware":
        yield at(
            s, "twoStepFlag", "time stamping becomes onestep; ptp4l refuses where the card cannot", "see ethtool -T"
        )


@rule("tx-timestamp-timeout", WARNING)
def tx_timestamp_timeout(s: Settings) -> Hits:
    """A wait for transmit stamps that takes ports down: the most frequent trouble of all."""
    if s.number("tx_timestamp_timeout") < 5 and s.text("time_stamping") != "software":
        yield at(
            s, "tx_timestamp_timeout", "one stamp that comes later makes the port FAULTY for 16 s", "use 10 or more"
        )


@rule("software-latency", WARNING)
def software_latency(s: Settings) -> Hits:
    """Latencies of hardware stamps, with software stamps."""
    for port in scopes(s):
        for key in ("ingressLatency", "egressLatency"):
            if s.number(key, port) and s.text("time_stamping") == "software":
                yield at(
                    s, key, "is of the card's stamps, and these are the kernel's: microseconds apart", "remove it", port
                )


@rule("asymmetry-large", WARNING)
def asymmetry_large(s: Settings) -> Hits:
    """A correction in another unit than nanoseconds."""
    for port in scopes(s):
        for key in ("delayAsymmetry", "ingressLatency", "egressLatency"):
            if abs(s.number(key, port)) >= _MILLISECOND:
                yield at(s, key, "is in nanoseconds: this is a millisecond or more", "check the unit", port)


@rule("hardware-on-vlan", NOTE)
def hardware_on_vlan(s: Settings) -> Hits:
    """Hardware stamps on a VLAN interface, which not every driver has."""
    for port in s.ports:
        if s.text("time_stamping") != "software" and ("." in port or port.startswith("vlan")):
            yield Hit(
                s, s.file.ports.get(port, 0), f"[{port}]", "not every driver stamps on a VLAN", f"try ethtool -T {port}"
            )


@rule("jbod", NOTE)
def jbod(s: Settings) -> Hits:
    """boundary_clock_jbod needs another program that ties the clocks of the ports together."""
    for port in scopes(s):
        if s.number("boundary_clock_jbod", port):
            yield at(
                s,
                "boundary_clock_jbod",
                "only phc2sys -a or ts2phc -a keeps the clocks of the ports together",
                "run one of them",
                port,
            )


@rule("check-fup-software", WARNING)
def check_fup_software(s: Settings) -> Hits:
    """check_fup_sync without hardware stamps."""
    if s.number("check_fup_sync") and s.text("time_stamping") == "software":
        yield at(
            s, "check_fup_sync", "compares hardware stamps with software stamps, and there are only these", "remove it"
        )


@rule("p2p1step-e2e", WARNING)
def p2p1step_e2e(s: Settings) -> Hits:
    """p2p1step on ports without peer delay."""
    for port in scopes(s):
        if s.text("time_stamping") == "p2p1step" and s.text("delay_mechanism", port) == "E2E":
            yield at(
                s, "time_stamping", "p2p1step is for peer delay, and the delay mechanism is E2E", "use onestep or P2P"
            )
