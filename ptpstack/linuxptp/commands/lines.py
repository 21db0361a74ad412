"""What a running node does, as the log lines of ptp4l and phc2sys that scrapers look for.

1. frequency in a line = what the clock was found to be off by: the negative of what it is told.
2. s0: no frequency known yet; s1: the clock was stepped; s2: it is being steered; s3: it has been steady.
3. An event that linuxptp has no line for is left to the journal's own words (None).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ptpstack.engine.discipline import Edge
from ptpstack.engine.effects import Event
from ptpstack.engine.engine import Engine
from ptpstack.linuxptp.commands.log import INFO, NOTICE
from ptpstack.linuxptp.commands.statistics import Summary
from ptpstack.servo.base import Command, Servo, ServoState

#: our events of the port state machine by linuxptp's names
_EVENTS = {
    "initialize": "INITIALIZE",
    "initialized": "INIT_COMPLETE",
    "designated-enabled": "DESIGNATED_ENABLED",
    "designated-disabled": "DESIGNATED_DISABLED",
    "fault-detected": "FAULT_DETECTED (FT_UNSPECIFIED)",
    "fault-cleared": "FAULT_CLEARED",
    "recommend-grandmaster": "RS_GRAND_MASTER",
    "recommend-master": "RS_MASTER",
    "recommend-slave": "RS_SLAVE",
    "recommend-new-parent": "RS_SLAVE",
    "recommend-passive": "RS_PASSIVE",
    "announce-receipt-timeout": "ANNOUNCE_RECEIPT_TIMEOUT_EXPIRES",
    "qualification-timeout": "QUALIFICATION_TIMEOUT_EXPIRES",
    "synchronization-fault": "SYNCHRONIZATION_FAULT",
    "master-clock-selected": "MASTER_CLOCK_SELECTED",
}
#: events of ours that say in other words what a line of ptp4l has said, or nothing that it would log
_QUIET = frozenset({"steering", "servo", "reference", "configured", "verdict"})

Line = tuple[int, str]


def written_identity(digits: str) -> str:
    """``0011223344556677``, however it is written, as 001122.3344.556677."""
    plain = "".join(c for c in digits.lower() if c in "0123456789abcdef")
    return f"{plain[:6]}.{plain[6:10]}.{plain[10:16]}"


def servo_letter(servo: Servo, command: Command | None, steady: bool) -> str:
    if command is not None and command.step_sns is not None:
        return "s1"
    # who only watches is as good as locked, or has nothing to say yet
    if servo.state is ServoState.UNLOCKED or (servo.state is ServoState.TRACKING and not servo.steering):
        return "s0"
    return "s3" if steady else "s2"


@dataclass(slots=True)
class Steadiness:
    """``servo_num_offset_values`` offsets in a row below ``servo_offset_threshold`` ns (0: never)."""

    threshold_ns: float = 0.0
    wanted: int = 10
    _below: int = 0

    def add(self, offset_ns: float) -> bool:
        self._below = self._below + 1 if abs(offset_ns) < self.threshold_ns else 0
        return bool(self.threshold_ns) and self._below >= self.wanted


@dataclass
class PortLines:
    """Of ptp4l: port states, masters, and one line (or summary) of what was measured."""

    engine: Engine
    log: Callable[[int, str], None]
    #: log2 s
    summary_interval: int = 0
    steadiness: Steadiness = field(default_factory=Steadiness)
    _shown: dict[tuple[str, int], str] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)
    _summaries: dict[str, Summary] = field(default_factory=dict)
    _selected: dict[str, str] = field(default_factory=dict)

    def port(self, instance: str, number: int) -> str:
        channel = self.engine.instances[instance].ports[number - 1].channel
        return f"port {number} ({channel.rpartition('/')[0]})"

    # ---- events -----------------------------------------------------------------------------------------------

    def event(self, event: Event, now: int) -> list[Line] | None:
        if event.kind in _QUIET:
            return []
        if event.kind == "port-state":
            return self._port_state(event, now)
        if event.kind == "parent":
            return [*self.new_masters(event.instance, now), *self._parent(event)]
        return None

    def _port_state(self, event: Event, now: int) -> list[Line]:
        key = event.instance, event.port
        new = event.data["new"]
        if new == "MASTER" and event.data["event"] == "recommend-grandmaster":
            new = "GRAND_MASTER"
        old = self._shown.get(key, event.data["old"])
        self._shown[key] = new
        why = _EVENTS.get(event.data["event"], event.data["event"].upper())
        text = f"{self.port(*key)}: {old} to {new} on {why}"
        lines = [*self.new_masters(event.instance, now), (NOTICE, text)]
        if new in ("MASTER", "GRAND_MASTER") and self._is_grandmaster(event.instance):
            lines += self._select_own(event.instance, event.port)
        return lines

    def _is_grandmaster(self, instance: str) -> bool:
        return self.engine.instances[instance].is_grandmaster

    def _select_own(self, instance: str, port: int) -> list[Line]:
        own = written_identity(self.engine.instances[instance].clock_identity.hex())
        lines = []
        if self._selected.get(instance) != own:
            self._selected[instance] = own
            lines.append((NOTICE, f"selected local clock {own} as best master"))
        return [*lines, (NOTICE, f"{self.port(instance, port)}: assuming the grand master role")]

    def _parent(self, event: Event) -> list[Line]:
        instance = self.engine.instances[event.instance]
        best = written_identity(event.data["grandmaster"])
        if event.data["new"].endswith("-0"):
            # the state of the port that has become master says so
            return []
        if self._selected.get(event.instance) == best:
            return []
        self._selected[event.instance] = best
        lines = [(NOTICE, f"selected best master clock {best}")]
        properties = instance.data.time_properties
        if not properties.ptp_timescale:
            lines.append((NOTICE, "foreign master not using PTP timescale"))
        elif not properties.current_utc_offset_valid:
            lines.append((NOTICE, "running in a temporal vortex"))
        return lines

    def new_masters(self, name: str, now: int) -> list[Line]:
        """Who has been heard since the last time."""
        lines: list[Line] = []
        for row in self.engine.instances[name].foreign_masters(now):
            key = f"{name} {row['port']} {row['sender']}"
            if key not in self._seen:
                if len(self._seen) > 1024:
                    self._seen.clear()
                self._seen.add(key)
                lines.append((NOTICE, f"{self.port(name, row['port'])}: new foreign master {row['sender']}"))
        return lines

    # ---- measurements -----------------------------------------------------------------------------------------

    def measured(self, edge: Edge, command: Command | None, now: int) -> None:
        if edge.instance is None:
            return
        estimate = edge.servo.estimate(now)
        if estimate is None:
            return
        clock = self.engine.clocks[edge.clock]
        offset, frequency, delay = estimate.value_ns, 0.0 - clock.frequency_ppb, edge.servo.path_delay_ns()
        steady = self.steadiness.add(offset)
        count = 2 ** max(0, min(31, self.summary_interval - (edge.log_interval or 0)))
        if count > 1:
            summary = self._summaries.get(edge.name)
            if summary is None or summary.size != count:
                summary = self._summaries[edge.name] = Summary(count)
            text = summary.add(offset, frequency, delay)
            if text is not None:
                self.log(INFO, text)
            return
        letter = servo_letter(edge.servo, command, steady)
        self.log(
            INFO,
            f"master offset {round(offset):10} {letter} freq {frequency:+7.0f} path delay {delay or 0.0:9.0f}",
        )
