"""What a lab found out, computed from its recording. ``as_dict`` is the JSON of docs/lab.md.

Times are lab time in seconds (resolution: the sampling interval), errors are ns, true error = clock minus the common
time base of all simulated clocks. A number that cannot be stated is None.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from ptpstack.lab.recording import Executed, Incident, InstanceRecording, InstanceSample, NodeRecording, Recording
from ptpstack.lab.statistics import ErrorStatistics, error_statistics, runs, share
from ptpstack.lab.topology import Event
from ptpstack.timebase.units import NS_PER_S

SCHEMA = "ptpstack-lab-report/1"
#: events after which a client may have to look for another grandmaster, or may go back to the old one
_TAKES_AWAY = ("kill", "term", "pause", "link-down", "degrade")
_FOLLOWING = ("SLAVE", "UNCALIBRATED")


@dataclass(frozen=True, slots=True)
class Stretch:
    """``value`` was seen from ``from_s`` to ``to_s``: a node's label, or a port state."""

    from_s: float
    to_s: float
    value: str


@dataclass(frozen=True, slots=True)
class PortHistory:
    number: int
    interface: str
    states: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class InstanceReport:
    node: str
    name: str
    domain: int
    profile: str
    role: str
    clock: str
    #: whose time it had (the grandmaster's label), and from whom directly (the parent's)
    followed: tuple[Stretch, ...]
    parents: tuple[Stretch, ...]
    ports: tuple[PortHistory, ...]
    #: first look at which a port was SLAVE and the servo locked
    lock_s: float | None
    #: share of looks with |true error| <= the stated bound
    bound_coverage: float | None
    #: share of looks with |true error - estimate| <= the stated bound
    estimate_coverage: float | None
    bound_samples: int


@dataclass(frozen=True, slots=True)
class ClockReport:
    """True error of one clock; ``phases`` by name. All exclude the settling time."""

    node: str
    name: str
    overall: ErrorStatistics | None
    phases: dict[str, ErrorStatistics | None]


@dataclass(frozen=True, slots=True)
class MeasuredReport:
    """A foreign node's own word on its offset (``source`` "self-reported"), not the truth.

    ``whole_seconds_removed``: a node that counts UTC beside a master that counts TAI sees the 37 s between these scales
    as offset. Whole seconds in the median offset are taken away from every sample, and said here.
    """

    node: str
    whole_seconds_removed: int
    overall: ErrorStatistics | None
    phases: dict[str, ErrorStatistics | None]
    source: str = "self-reported"


@dataclass(frozen=True, slots=True)
class Takeover:
    """How one client instance met one event: from ``before`` to ``after``."""

    at_s: float
    event: str
    node: str
    instance: str
    before: str
    #: its own label: it leads now. None: neither led nor followed another by the next event or the end
    after: str | None
    #: from the event until it first followed ``after``
    took_s: float | None
    #: largest |true error| of its clock from the event until it followed (else until the next event)
    worst_error_ns: float | None
    #: largest |true error| from then until the next event or the end
    worst_later_ns: float | None
    #: sentences of the node's own explanation
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabReport:
    name: str
    description: str
    duration_s: float
    settle_s: float
    started_in_s: float
    interrupted: bool
    instances: tuple[InstanceReport, ...]
    clocks: tuple[ClockReport, ...]
    measured: tuple[MeasuredReport, ...]
    takeovers: tuple[Takeover, ...]
    events: tuple[Executed, ...]
    incidents: tuple[Incident, ...]
    notes: tuple[str, ...]

    @property
    def failed(self) -> bool:
        return bool(self.incidents)

    def as_dict(self) -> dict[str, Any]:
        body = asdict(self)
        body["events"] = [
            {"at_s": e.event.at_s, "done_s": e.done_s, "event": str(e.event), "failure": e.failure} for e in self.events
        ]
        return {"schema": SCHEMA, "failed": self.failed, **body}


def make_report(recording: Recording) -> LabReport:
    """Pure: the same recording gives the same report."""
    topology = recording.topology
    clocks, measured, instances = [], [], []
    for node in recording.nodes.values():
        for name, series in node.clocks.items():
            clocks.append(ClockReport(node.label, name, *_errors(recording, series)))
        if node.measured:
            seconds = round(median(m.offset_ns for m in node.measured) / NS_PER_S)
            own = [(m.t_s, m.offset_ns - seconds * NS_PER_S) for m in node.measured]
            measured.append(MeasuredReport(node.label, seconds, *_errors(recording, own)))
        instances += [_instance(recording, node, instance) for instance in node.instances.values()]
    return LabReport(
        topology.name,
        topology.description,
        recording.lasted_s,
        topology.settle_s,
        recording.started_in_s,
        recording.interrupted,
        tuple(instances),
        tuple(clocks),
        tuple(measured),
        tuple(_takeovers(recording)),
        tuple(recording.executed),
        tuple(recording.incidents),
        tuple(recording.notes),
    )


def _errors(
    recording: Recording, series: list[tuple[float, float]]
) -> tuple[ErrorStatistics | None, dict[str, ErrorStatistics | None]]:
    settled = [(t, error) for t, error in series if t >= recording.topology.settle_s]
    phases = {phase.name: error_statistics(settled, phase.from_s, phase.to_s) for phase in recording.topology.phases}
    return error_statistics(settled), phases


def _stretches(series: Iterable[tuple[float, str]]) -> tuple[Stretch, ...]:
    return tuple(Stretch(*stretch) for stretch in runs(series))


def _instance(recording: Recording, node: NodeRecording, instance: InstanceRecording) -> InstanceReport:
    samples = instance.samples
    bounded = [
        (s.error_ns, s.estimate_ns, s.bound_ns)
        for s in samples
        if s.error_ns is not None and s.estimate_ns is not None and s.bound_ns is not None
    ]
    covered, count = share(abs(error) <= bound for error, _, bound in bounded)
    meant, _ = share(abs(error - estimate) <= bound for error, estimate, bound in bounded)
    numbers = sorted({(port.number, port.interface) for s in samples for port in s.ports})
    ports = tuple(
        PortHistory(
            number,
            interface,
            _stretches((s.t_s, port.state) for s in samples for port in s.ports if port.number == number),
        )
        for number, interface in numbers
    )
    lock = next((s.t_s for s in samples if s.servo == "locked" and any(p.state == "SLAVE" for p in s.ports)), None)
    return InstanceReport(
        node.label,
        instance.name,
        instance.domain,
        instance.profile,
        instance.role or node.role,
        instance.clock,
        _stretches((s.t_s, recording.label_of(s.grandmaster)) for s in samples),
        _stretches((s.t_s, recording.label_of(s.parent)) for s in samples if s.parent),
        ports,
        lock,
        covered,
        meant,
        count,
    )


def _takeovers(recording: Recording) -> list[Takeover]:
    """One entry for each client instance and event that cost it its grandmaster, or gave it another one."""
    found = []
    # an event that came while the lab was ending has no aftermath to look at
    events = [executed for executed in recording.executed if not executed.failure]
    for index, executed in enumerate(events):
        until = events[index + 1].done_s if index + 1 < len(events) else math.inf
        for node in recording.nodes.values():
            if node.label == executed.event.node:
                continue
            for instance in node.instances.values():
                if executed.event.instance in (None, instance.name) or executed.event.do not in ("degrade", "restore"):
                    takeover = _takeover(recording, node, instance, executed, until)
                    found += [takeover] if takeover is not None else []
    return found


def _source(sample: InstanceSample) -> tuple[str, str]:
    """Whose time it has, and from whom: (grandmaster, clock identity of the parent)."""
    return sample.grandmaster, sample.parent.partition("-")[0]


def _following(sample: InstanceSample, own: str) -> bool:
    return sample.grandmaster != own and any(port.state in _FOLLOWING for port in sample.ports)


def _leading(sample: InstanceSample, own: str) -> bool:
    return sample.grandmaster == own and any(port.state == "MASTER" for port in sample.ports)


def _takeover(
    recording: Recording, node: NodeRecording, instance: InstanceRecording, executed: Executed, until: float
) -> Takeover | None:
    event, at = executed.event, executed.done_s
    earlier = [s for s in instance.samples if s.t_s < at]
    later = [s for s in instance.samples if at <= s.t_s < until]
    own = instance.identity or _identity_of(recording, node.label)
    if not earlier or not later or not _following(earlier[-1], own):
        return None
    before = _source(earlier[-1])
    # where it was in the end, not the first other one it tried: on the way a boundary clock may be its own grandmaster
    settled = _following(later[-1], own) or _leading(later[-1], own)
    target = _source(later[-1]) if settled else before
    first = next((s for s in later if _source(s) == target), None) if target != before else None
    if first is None and not _took_away(recording, event, before):
        return None
    switched = first.t_s if first is not None else until
    # what a standby that leads now, or a client, did to its clock meanwhile
    series = node.clocks.get(instance.clock, [])
    during = [abs(error) for t, error in series if at <= t <= min(switched, until)]
    after = [abs(error) for t, error in series if switched < t < until]
    why = [
        e for e in node.explained if e.instance == instance.name and first is not None and first.t_s <= e.t_s < until
    ]
    return Takeover(
        executed.done_s,
        str(event),
        node.label,
        instance.name,
        recording.label_of(before[0]),
        recording.label_of(first.grandmaster) if first is not None else None,
        first.t_s - at if first is not None else None,
        max(during, default=None),
        max(after, default=None),
        tuple(_named(recording, line) for line in sentences(why[0].result, instance.name)) if why else (),
    )


def _named(recording: Recording, line: str) -> str:
    """With labels where the node, which knows no labels, wrote clock identities."""
    for identity, label in recording.labels.items():
        line = line.replace(identity, label)
    return line


def _took_away(recording: Recording, event: Event, source: tuple[str, str]) -> bool:
    return event.do in _TAKES_AWAY and event.node in (recording.label_of(identity) for identity in source)


def _identity_of(recording: Recording, label: str) -> str:
    return next((identity for identity, name in recording.labels.items() if name == label), "")


def sentences(explanation: Any, instance: str, limit: int = 8) -> list[str]:
    """The decisions in an ``explain`` answer as ``code: reason`` lines, whatever shape they are nested in.

    Looks at what belongs to ``instance`` when the answer is divided by instance, else at everything.
    """
    found: list[str] = []
    _collect(_part_of(explanation, instance), found)
    return list(dict.fromkeys(found))[:limit]


def _part_of(explanation: Any, instance: str) -> Any:
    parts = explanation.get("instances", explanation) if isinstance(explanation, dict) else explanation
    if isinstance(parts, dict) and instance in parts:
        return parts[instance]
    if isinstance(parts, list):
        own = [p for p in parts if isinstance(p, dict) and instance in (p.get("name"), p.get("instance"))]
        return own or parts
    return explanation


def _collect(value: Any, found: list[str]) -> None:
    if isinstance(value, dict):
        if isinstance(value.get("reason"), str) and value["reason"]:
            found.append(f"{value['code']}: {value['reason']}" if value.get("code") else value["reason"])
        for nested in value.values():
            _collect(nested, found)
    elif isinstance(value, list):
        for nested in value:
            _collect(nested, found)
