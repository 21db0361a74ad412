"""The clock graph as JSON-ready data, and why it is as it is in sentences."""

from __future__ import annotations

from typing import Any

from ptpstack.engine.discipline import Edge, SteeredClock
from ptpstack.engine.engine import Engine
from ptpstack.timebase.units import format_ns


def clocks(engine: Engine, now: int) -> list[dict[str, Any]]:
    """Every clock with the edges that lead to it."""
    return [_clock(engine, clock, now) for clock in engine.clocks.values()]


def references(engine: Engine, now: int) -> list[dict[str, Any]]:
    rows = []
    for clock, reference in engine.references.items():
        pulses = engine.on_references.pulses.get(clock)
        rows.append(
            {
                "clock": clock,
                "type": reference.plan.type,
                "state": reference.state.value,
                "since_s": (now - reference.since_ns) / 1e9,
                "bound_ns": reference.bound_ns,
                "decision": reference.decision.as_dict(),
                "pulses": None
                if pulses is None
                else {"why_not": pulses.why_not, "counters": dict(sorted(pulses.counters.items()))},
            }
        )
    return rows


def _clock(engine: Engine, clock: SteeredClock, now: int) -> dict[str, Any]:
    found = engine.watch.of[clock.name]
    left_alone = clock.left_alone_until_ns
    return {
        "name": clock.name,
        "frequency_ppb": clock.frequency_ppb,
        "steps": clock.steps,
        "steerable": clock.steerable,
        "why_not_steerable": clock.why_not,
        "steered_by": None if clock.steering is None else clock.steering.name,
        "bound_ns": engine.steering.bound_ns(clock.name, now),
        "forecast": engine.vouching.forecast(clock.name, now),
        "left_alone_s": None if left_alone is None else max(0.0, (left_alone - now) / 1e9),
        "foreign": {
            "changes": found.changes,
            "steps": found.steps,
            "last": found.last,
            "age_s": (now - found.last_ns) / 1e9 if found.last else None,
            "decision": None if found.decision is None else found.decision.as_dict(),
        },
        "decision": clock.decision.as_dict(),
        "edges": [_edge(engine, edge, clock.steering is edge, now) for edge in clock.edges],
    }


def _edge(engine: Engine, edge: Edge, steers: bool, now: int) -> dict[str, Any]:
    estimate = engine.steering.estimate(edge, now)
    return {
        "name": edge.name,
        "kind": edge.kind,
        "source": edge.source or edge.instance or edge.name,
        "automatic": edge.automatic,
        "usable": edge.usable,
        "why_not": "" if edge.usable else edge.why_not,
        "steers": steers,
        "servo": edge.servo.name,
        "state": edge.servo.state.value,
        "reason": edge.servo.reason,
        "log_interval": edge.log_interval,
        "measurements": edge.measurements,
        "estimate": None if estimate is None else estimate.as_dict(),
    }


def explain_clocks(engine: Engine, now: int, names: set[str] | None = None) -> list[dict[str, Any]]:
    """Who steers each clock (all, or those named) and why, what every other edge does, who else was at it."""
    rows = []
    for clock in engine.clocks.values():
        if names is None or clock.name in names:
            sentences = [_who(engine, clock, now)]
            sentences += [_role(clock, edge) for edge in clock.edges if edge is not clock.steering]
            found = engine.watch.of[clock.name]
            if found.decision is not None:
                sentences.append(found.decision.reason)
            rows.append(
                {
                    "name": clock.name,
                    "sentences": sentences,
                    "decision": clock.decision.as_dict(),
                    "foreign": None if found.decision is None else found.decision.as_dict(),
                }
            )
    return rows


def _who(engine: Engine, clock: SteeredClock, now: int) -> str:
    edge = clock.steering
    if edge is None:
        return f"nobody steers it: {clock.decision.reason}"
    bound = engine.steering.bound_ns(clock.name, now)
    within = f", within {format_ns(bound).lstrip('+')}" if bound is not None else ""
    why = clock.decision.reason.partition(": ")[2] or clock.decision.reason
    text = f"{edge.name} steers it, {edge.servo.state.value}{within}: {why}"
    return text if edge.usable else f"{text}; now it holds over, because {edge.why_not}"


def _role(clock: SteeredClock, edge: Edge) -> str:
    if not edge.usable:
        return f"{edge.name} does not lead to it now: {edge.why_not or 'nothing has been measured yet'}"
    if not clock.steerable:
        return f"{edge.name} only watches: the clock is not steered"
    refused = next((lost for lost in clock.decision.lost if lost.startswith(f"{edge.name} is refused")), "")
    if refused:
        return refused
    if clock.steering is None:
        return f"{edge.name} only watches"
    first = clock.edges.index(clock.steering) < clock.edges.index(edge)
    why = "stands before it" if first else "is locked, and this one has to show a few offsets first"
    return f"{edge.name} only watches: at most one edge steers a clock, and {clock.steering.name} {why}"
