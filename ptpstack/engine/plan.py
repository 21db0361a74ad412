"""What an engine is made of, as plain data that a trace can carry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ptpstack.protocol.options import (
    AcceptableMaster,
    AlternateTimescale,
    GptpOptions,
    InstanceOptions,
    ManagementOptions,
    PortOptions,
    PowerOptions,
    QualityTable,
    SyncMetadataOptions,
    TimeProperties,
    TransparentOptions,
    TransparentPort,
    UnicastOptions,
    UnicastServer,
)
from ptpstack.servo.options import ServoOptions
from ptpstack.timebase.leap import LeapTable
from ptpstack.timebase.leapfile import LeapEntry
from ptpstack.wire.types import ACCURACY_UNKNOWN, ClockQuality, TimeSource


@dataclass(frozen=True, slots=True)
class ClockPlan:
    name: str
    #: may be stepped and adjusted; False: it is only read and compared
    steerable: bool = True
    max_frequency_ppb: float = 500_000.0
    why_not_steerable: str = ""
    #: look once a second whether somebody else has changed it
    watched: bool = False
    #: ``keep`` steering when somebody else changes it too, or ``yield`` when that goes on
    on_foreign_change: str = "keep"
    #: the kernel is told how good it is, TAI - UTC and the leap second to come (the system clock)
    declares: bool = False
    #: a sensor shows the temperature beside its oscillator
    temperature: bool = False


@dataclass(frozen=True, slots=True)
class EdgePlan:
    """An edge from clock to clock: ``clock`` follows ``source`` by readings every ``2**log_interval`` s."""

    source: str
    clock: str
    log_interval: int = -3
    #: readings of a burst
    samples: int = 5
    #: also while nothing says that the source is right
    always: bool = False
    servo: ServoOptions = field(default_factory=ServoOptions)

    @property
    def name(self) -> str:
        return edge_name(self.source, self.clock)


def edge_name(source: str, clock: str) -> str:
    """What an edge between two clocks is called everywhere."""
    return f"{source} -> {clock}"


@dataclass(frozen=True, slots=True)
class ReferencePlan:
    """The reference of a grandmaster's clock.

    ``declared``: somebody else keeps the clock right and its state is told us. ``measured``: readings of the clock
    against the reference come in every ``2**log_interval`` s (simulated GNSS, system clock) and steer the clock.
    ``pps``: one pulse per second is stamped by the clock; which second it is, another clock says.
    """

    clock: str
    type: str = "declared"
    state: str = "locked"
    time_source: int = TimeSource.GNSS
    #: what the announced time is worth while locked, as long as the servo's own bound is not worse
    accuracy: int = ACCURACY_UNKNOWN
    variance: int = 0xFFFF
    #: seconds of holdover that stay within specification
    holdover_spec_s: float = 3600.0
    log_interval: int = 0
    #: whether the reference is a primary one: class 6 when locked. The system clock is not.
    primary: bool = True
    servo: ServoOptions = field(default_factory=ServoOptions)
    #: holdover is within specification only while the bound is below this, ns; 0: time alone counts
    holdover_limit_ns: float = 0.0
    #: pps: external time stamp channel of the clock, the pin that carries it (None: wired), the edge that counts
    channel: int = 0
    pin: int | None = None
    edge: str = "rising"
    #: how much later than the second the pulse arrives (cable, receiver), ns
    delay_ns: float = 0.0
    #: the clock that tells which second a pulse is; and how far it may be off, s (0: as it says of itself)
    tod: str = "system"
    tod_error_s: float = 0.0


@dataclass(frozen=True, slots=True)
class InstancePlan:
    options: InstanceOptions
    servo: ServoOptions = field(default_factory=ServoOptions)
    #: what time a grandmaster is taken to hold that announces ptpTimescale FALSE: ``unknown`` or ``utc``
    arb_is: str = "unknown"


@dataclass(frozen=True)
class EnginePlan:
    instances: tuple[InstancePlan, ...]
    clocks: tuple[ClockPlan, ...]
    references: tuple[ReferencePlan, ...] = ()
    #: what the configuration names; the clocks of one instance's ports are tied without
    edges: tuple[EdgePlan, ...] = ()
    transparent: tuple[TransparentOptions, ...] = ()
    #: how the clocks of one instance's ports follow each other
    tie: EdgePlan = field(default_factory=lambda: EdgePlan("", ""))
    leap: LeapTable = field(default_factory=LeapTable.built_in)
    seed: int = 0
    name: str = "ptpstack"


def inside_of(plan: InstancePlan, transparent: Sequence[TransparentOptions]) -> InstancePlan:
    """As the instance runs: a port inside a peer-to-peer transparent clock measures no link of its own."""
    measured = {channel for clock in transparent if clock.delay_mechanism == "P2P" for channel in clock.inside}
    if not any(port.channel in measured for port in plan.options.ports):
        return plan
    ports = tuple(
        replace(port, delay_mechanism="NONE") if port.channel in measured else port for port in plan.options.ports
    )
    return replace(plan, options=replace(plan.options, ports=ports))


def plan_as_dict(plan: EnginePlan) -> dict[str, Any]:
    """JSON-ready; ``plan_from_dict`` is its inverse."""
    result = asdict(plan)
    result["instances"] = [instance_as_dict(instance) for instance in plan.instances]
    for transparent in result["transparent"]:
        transparent["clock_identity"] = transparent["clock_identity"].hex()
    result["leap"] = {
        "entries": [list(entry) for entry in plan.leap.entries],
        "updated_s": plan.leap.updated_s,
        "expires_s": plan.leap.expires_s,
        "source": plan.leap.source,
    }
    return result


def instance_as_dict(plan: InstancePlan) -> dict[str, Any]:
    """The same of one instance; ``instance_from_dict`` is its inverse."""
    result = asdict(plan)
    options = result["options"]
    options["clock_identity"] = options["clock_identity"].hex()
    options["quality"] = list(options["quality"])
    for master in options["acceptable_masters"]:
        master["clock_identity"] = master["clock_identity"].hex()
    management = options["management"]
    for name in ("manufacturer", "profile_identity"):
        management[name] = management[name].hex()
    return result


def instance_from_dict(data: Mapping[str, Any]) -> InstancePlan:
    """KeyError, TypeError or ValueError when ``data`` is not what ``instance_as_dict`` makes."""
    return InstancePlan(_instance(data["options"]), ServoOptions(**data["servo"]), data["arb_is"])


def plan_from_dict(data: Mapping[str, Any]) -> EnginePlan:
    """KeyError, TypeError or ValueError when ``data`` is not what ``plan_as_dict`` makes."""
    leap = data["leap"]
    return EnginePlan(
        instances=tuple(instance_from_dict(i) for i in data["instances"]),
        clocks=tuple(ClockPlan(**c) for c in data["clocks"]),
        references=tuple(ReferencePlan(**{**r, "servo": ServoOptions(**r["servo"])}) for r in data["references"]),
        edges=tuple(_edge(e) for e in data["edges"]),
        transparent=tuple(_transparent(t) for t in data["transparent"]),
        tie=_edge(data["tie"]),
        leap=LeapTable(
            tuple(LeapEntry(*entry) for entry in leap["entries"]),
            leap["updated_s"],
            leap["expires_s"],
            leap["source"],
        ),
        seed=data["seed"],
        name=data["name"],
    )


def _edge(data: Mapping[str, Any]) -> EdgePlan:
    return EdgePlan(**{**data, "servo": ServoOptions(**data["servo"])})


def _transparent(data: Mapping[str, Any]) -> TransparentOptions:
    ports = tuple(TransparentPort(**port) for port in data["ports"])
    identity, inside = bytes.fromhex(data["clock_identity"]), tuple(data["inside"])
    return TransparentOptions(**{**data, "ports": ports, "clock_identity": identity, "inside": inside})


def _timescale(data: Mapping[str, Any]) -> AlternateTimescale:
    return AlternateTimescale(**{**data, "offsets": tuple((at, offset) for at, offset in data["offsets"])})


def _sync_metadata(data: Mapping[str, Any] | None) -> SyncMetadataOptions | None:
    if data is None:
        return None
    rate = tuple(data["frame_rate"])
    return SyncMetadataOptions(**{**data, "timescale": _timescale(data["timescale"]), "frame_rate": rate})


def _port(data: Mapping[str, Any]) -> PortOptions:
    lists = {
        name: tuple(data[name])
        for name in ("requestable_sync", "requestable_announce", "requestable_pdelay", "monitor")
    }
    sources = {name: tuple(data.get(name, ())) for name in ("allow_sources", "deny_sources")}
    unicast = data.get("unicast", {})
    servers = tuple(UnicastServer(**server) for server in unicast.get("servers", ()))
    gptp = data.get("gptp")
    options = {
        "unicast": UnicastOptions(**{**unicast, "servers": servers}),
        "gptp": None if gptp is None else GptpOptions(**gptp),
    }
    return PortOptions(**{**data, **lists, **sources, **options})


def _instance(data: Mapping[str, Any]) -> InstanceOptions:
    return InstanceOptions(
        **{
            **data,
            "clock_identity": bytes.fromhex(data["clock_identity"]),
            "ports": tuple(_port(p) for p in data["ports"]),
            "acceptable_masters": tuple(
                AcceptableMaster(**{**m, "clock_identity": bytes.fromhex(m["clock_identity"])})
                for m in data["acceptable_masters"]
            ),
            "alternate_timescales": tuple(_timescale(t) for t in data["alternate_timescales"]),
            "power": None if data["power"] is None else PowerOptions(**data["power"]),
            "sync_metadata": _sync_metadata(data["sync_metadata"]),
            "quality": ClockQuality(*data["quality"]),
            "quality_table": QualityTable(**data["quality_table"]),
            "time_properties": TimeProperties(**data["time_properties"]),
            "management": _management(data["management"]),
        }
    )


def _management(data: Mapping[str, Any]) -> ManagementOptions:
    return ManagementOptions(
        **{
            **data,
            "manufacturer": bytes.fromhex(data["manufacturer"]),
            "profile_identity": bytes.fromhex(data["profile_identity"]),
            "writers": tuple(data["writers"]),
            "ranges": tuple((name, low, high) for name, low, high in data["ranges"]),
        }
    )
