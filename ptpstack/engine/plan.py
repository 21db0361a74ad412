"""What an engine is made of, as plain data that a trace can carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ptpstack.protocol.options import InstanceOptions, PortOptions, QualityTable, TimeProperties
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


@dataclass(frozen=True, slots=True)
class ReferencePlan:
    """The reference of a grandmaster's clock.

    ``declared``: somebody else keeps the clock right and its state is told us. ``measured``: readings of the clock
    against the reference come in every ``2**log_interval`` s (simulated GNSS, system clock) and steer the clock.
    """

    clock: str
    type: str = "declared"
    state: str = "locked"
    time_source: int = TimeSource.GNSS
    accuracy: int = ACCURACY_UNKNOWN
    variance: int = 0xFFFF
    #: seconds of holdover that stay within specification
    holdover_spec_s: float = 3600.0
    log_interval: int = 0
    #: whether the reference is a primary one: class 6 when locked. The system clock is not.
    primary: bool = True
    servo: ServoOptions = field(default_factory=ServoOptions)


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
    leap: LeapTable = field(default_factory=LeapTable.built_in)
    seed: int = 0
    name: str = "ptpstack"


def plan_as_dict(plan: EnginePlan) -> dict[str, Any]:
    """JSON-ready; ``plan_from_dict`` is its inverse."""
    result = asdict(plan)
    for instance in result["instances"]:
        options = instance["options"]
        options["clock_identity"] = options["clock_identity"].hex()
        options["quality"] = list(options["quality"])
    result["leap"] = {
        "entries": [list(entry) for entry in plan.leap.entries],
        "updated_s": plan.leap.updated_s,
        "expires_s": plan.leap.expires_s,
        "source": plan.leap.source,
    }
    return result


def plan_from_dict(data: Mapping[str, Any]) -> EnginePlan:
    """KeyError, TypeError or ValueError when ``data`` is not what ``plan_as_dict`` makes."""
    leap = data["leap"]
    return EnginePlan(
        instances=tuple(
            InstancePlan(_instance(i["options"]), ServoOptions(**i["servo"]), i["arb_is"]) for i in data["instances"]
        ),
        clocks=tuple(ClockPlan(**c) for c in data["clocks"]),
        references=tuple(ReferencePlan(**{**r, "servo": ServoOptions(**r["servo"])}) for r in data["references"]),
        leap=LeapTable(
            tuple(LeapEntry(*entry) for entry in leap["entries"]),
            leap["updated_s"],
            leap["expires_s"],
            leap["source"],
        ),
        seed=data["seed"],
        name=data["name"],
    )


def _instance(data: Mapping[str, Any]) -> InstanceOptions:
    return InstanceOptions(
        **{
            **data,
            "clock_identity": bytes.fromhex(data["clock_identity"]),
            "ports": tuple(PortOptions(**p) for p in data["ports"]),
            "quality": ClockQuality(*data["quality"]),
            "quality_table": QualityTable(**data["quality_table"]),
            "time_properties": TimeProperties(**data["time_properties"]),
        }
    )
