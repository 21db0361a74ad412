"""What a lab saw, as time series; the report is computed from this and nothing else. ``t_s`` is lab time in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ptpstack.lab.topology import Event, Topology


class Port(NamedTuple):
    number: int
    interface: str
    #: IEEE 1588-2019 portState, ``SLAVE``
    state: str


class InstanceSample(NamedTuple):
    """One look at one instance. Identities as the node renders them (``001b21.fffe.aabbcc``)."""

    t_s: float
    grandmaster: str
    #: parent's port identity, ``001b21.fffe.aabbcc-1``
    parent: str
    clock_class: int | None
    ports: tuple[Port, ...]
    servo: str
    estimate_ns: float | None
    bound_ns: float | None
    #: true error of the instance's clock at this look (simulated clocks only)
    error_ns: float | None


class Measured(NamedTuple):
    """What a foreign node says of its own offset, ns."""

    t_s: float
    offset_ns: float
    path_delay_ns: float
    servo: str


class Explained(NamedTuple):
    """The answer to ``explain``, asked after the instance had changed its grandmaster."""

    t_s: float
    instance: str
    result: Any


@dataclass(slots=True)
class InstanceRecording:
    name: str
    domain: int
    profile: str
    role: str
    clock: str
    identity: str
    samples: list[InstanceSample] = field(default_factory=list)


@dataclass(slots=True)
class NodeRecording:
    label: str
    host: str
    kind: str
    role: str
    instances: dict[str, InstanceRecording] = field(default_factory=dict)
    #: clock name -> (t_s, true error ns)
    clocks: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    measured: list[Measured] = field(default_factory=list)
    explained: list[Explained] = field(default_factory=list)
    #: last lines of its log, kept at the end
    log_tail: tuple[str, ...] = ()
    exit_status: int | None = None
    #: it is stopped or dead right now (by an event or by itself)
    down: bool = False


@dataclass(frozen=True, slots=True)
class Executed:
    """An event that was carried out at ``done_s``; ``failure`` says why it did not work, "" when it did."""

    event: Event
    done_s: float
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that should not have happened. A lab with one of these has failed."""

    t_s: float
    node: str
    what: str
    log_tail: tuple[str, ...] = ()


@dataclass(slots=True)
class Recording:
    topology: Topology
    nodes: dict[str, NodeRecording] = field(default_factory=dict)
    executed: list[Executed] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    #: clock identity -> node label
    labels: dict[str, str] = field(default_factory=dict)
    #: from the first process to the last answer of the first look, s
    started_in_s: float = 0.0
    #: lab time at the end
    lasted_s: float = 0.0
    interrupted: bool = False
    notes: list[str] = field(default_factory=list)

    def label_of(self, identity: str) -> str:
        """The node behind a clock or port identity (``...-1``); the identity itself when it is nobody's here."""
        clock = identity.partition("-")[0]
        return self.labels.get(clock, identity or "nobody")

    def incident(self, t_s: float, node: str, what: str, log_tail: tuple[str, ...] = ()) -> None:
        self.incidents.append(Incident(t_s, node, what, log_tail))


class MalformedAnswer(ValueError):
    """A status or truth answer that lacks what the control protocol promises."""


def absorb(node: NodeRecording, recording: Recording, t_s: float, status: Any, truth: Any) -> list[str]:
    """Put one status result and one truth result (None: not answered) into the series.

    Returns the names of the instances whose grandmaster has changed since the last look. MalformedAnswer names the
    field.
    """
    try:
        errors: dict[str, float] = {}
        # a transparent clock measures time inside: what its own clock shows is nobody's time
        for clock in truth["clocks"] if truth is not None and status["instances"] else []:
            if isinstance(clock.get("error_ns"), (int, float)):
                errors[clock["name"]] = float(clock["error_ns"])
                node.clocks.setdefault(clock["name"], []).append((t_s, errors[clock["name"]]))
        return [
            name for entry in status["instances"] if (name := _absorb(node, recording, t_s, entry, errors)) is not None
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise MalformedAnswer(f"{type(error).__name__}: {error}") from error


def _absorb(
    node: NodeRecording, recording: Recording, t_s: float, entry: Mapping[str, Any], errors: Mapping[str, float]
) -> str | None:
    name = str(entry["name"])
    instance = node.instances.get(name)
    if instance is None:
        instance = node.instances[name] = InstanceRecording(
            name,
            int(entry["domain"]),
            str(entry.get("profile", "")),
            str(entry.get("role", "")),
            str(entry.get("clock", "")),
            str(entry["clock_identity"]),
        )
    recording.labels[str(entry["clock_identity"])] = node.label
    estimate = entry.get("estimate") or {}
    grandmaster = entry["grandmaster"]
    sample = InstanceSample(
        t_s,
        str(grandmaster["identity"]),
        str(entry["parent"]),
        grandmaster.get("clock_class"),
        tuple(Port(int(p["number"]), str(p.get("interface", "")), str(p["state"])) for p in entry["ports"]),
        str((entry.get("servo") or {}).get("state", "")),
        estimate.get("value_ns"),
        estimate.get("bound_ns"),
        errors.get(instance.clock),
    )
    before = instance.samples[-1].grandmaster if instance.samples else None
    instance.samples.append(sample)
    return name if before is not None and before != sample.grandmaster else None
