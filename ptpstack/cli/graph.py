"""The clock graph as a tree of text: sources at the left, what follows them below and to the right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ptpstack.timebase.units import format_ns


def offset_text(estimate: dict[str, Any] | None) -> str:
    """An offset never stands alone: it comes with how wrong it may be."""
    if estimate is None:
        return "no offset yet"
    bound = estimate["bound_ns"]
    return f"{format_ns(estimate['value_ns'])} ±{format_ns(bound).lstrip('+') if bound is not None else '?'}"


def duration_text(seconds: float) -> str:
    """``3 h 20 min``, ``12 min``, ``40 s``; two units at most."""
    for unit, size, lower, below in (("d", 86_400, "h", 3600), ("h", 3600, "min", 60)):
        if seconds >= size:
            rest = int(seconds % size // below)
            return f"{int(seconds // size)} {unit}" + (f" {rest} {lower}" if rest else "")
    return f"{int(seconds // 60)} min" if seconds >= 120 else f"{int(seconds)} s"


def rate_text(log_interval: int | None) -> str:
    if log_interval is None:
        return ""
    return f", {2**-log_interval}/s" if log_interval <= 0 else f", every {2**log_interval} s"


def graph_lines(status: dict[str, Any]) -> Iterator[str]:
    """Every clock once, under what steers it; edges that only watch are named beside it."""
    clocks = {clock["name"]: clock for clock in status["clocks"]}
    references = {reference["clock"]: reference for reference in status["references"]}
    below: dict[str, list[str]] = {}
    roots = []
    for name, clock in clocks.items():
        steering = _steering(clock)
        if steering is not None and steering["kind"] == "clock" and _rises(name, clocks):
            below.setdefault(steering["source"], []).append(name)
        else:
            roots.append(name)
    for name in roots:
        yield from _branch(name, clocks, references, below, "")


def _steering(clock: dict[str, Any]) -> dict[str, Any] | None:
    return next((edge for edge in clock["edges"] if edge["steers"]), None)


def _rises(name: str, clocks: dict[str, dict[str, Any]]) -> bool:
    """Whether the way up from a clock ends: two that hold over from each other would hang in the air."""
    seen = set()
    while name not in seen:
        seen.add(name)
        steering = _steering(clocks[name])
        if steering is None or steering["kind"] != "clock" or steering["source"] not in clocks:
            return True
        name = steering["source"]
    return False


def _branch(
    name: str,
    clocks: dict[str, dict[str, Any]],
    references: dict[str, dict[str, Any]],
    below: dict[str, list[str]],
    indent: str,
) -> Iterator[str]:
    clock = clocks[name]
    steering = _steering(clock)
    if name in references:
        reference = references[name]
        why = reference["decision"]["reason"]
        yield f"{indent}reference of {name} ({reference['type']}): {reference['state']} for " + (
            f"{duration_text(reference['since_s'])}: {why}"
        )
        if reference["pulses"] is not None and reference["pulses"]["why_not"]:
            yield f"{indent}  pulses are not used: {reference['pulses']['why_not']}"
    elif steering is not None and steering["kind"] == "instance":
        yield f"{indent}instance {steering['source']}"
    arrow = f"{indent}└─ "
    if steering is not None:
        yield f"{arrow}steers {name}: {_edge(steering)}"
    for edge in clock["edges"]:
        # neither the way back of a tie, nor an instance that has never followed
        silent = edge["automatic"] or (edge["kind"] == "instance" and not edge["measurements"])
        if not edge["steers"] and (edge["usable"] or not silent):
            yield f"{arrow}{edge['name']} {_watching(edge)}"
    yield f"{indent}   {_clock(clock)}"
    for line in _about(clock):
        yield f"{indent}     {line}"
    for follower in below.get(name, ()):
        yield from _branch(follower, clocks, references, below, indent + "   ")


def _edge(edge: dict[str, Any]) -> str:
    held = "" if edge["usable"] else " (" + (edge["why_not"] or "nothing measured yet") + ")"
    return f"{edge['servo']}, {edge['state']}, {offset_text(edge['estimate'])}{rate_text(edge['log_interval'])}{held}"


def _watching(edge: dict[str, Any]) -> str:
    if edge["usable"]:
        return f"watches: {offset_text(edge['estimate'])}{rate_text(edge['log_interval'])}"
    return f"is idle: {edge['why_not'] or 'nothing measured yet'}"


def _clock(clock: dict[str, Any]) -> str:
    steps = clock["steps"]
    device = f"({clock['device']}, {clock['kind']})" if "device" in clock else ""
    return (
        f"clock {clock['name']} {device}: {clock['frequency_ppb']:+.1f} ppb, {steps} step{'' if steps == 1 else 's'}"
        + ("" if clock["steered_by"] or not clock["steerable"] else ", not steered yet")
    )


def _about(clock: dict[str, Any]) -> Iterator[str]:
    if not clock["steerable"]:
        yield f"not steered: {clock['why_not_steerable']}"
    if clock["left_alone_s"] is not None:
        yield f"left alone for another {clock['left_alone_s']:.0f} s: {clock['decision']['reason']}"
    forecast = clock["forecast"]
    if clock["bound_ns"] is not None and clock["steered_by"]:
        text = f"within {format_ns(clock['bound_ns']).lstrip('+')}"
        if forecast["for_s"] is not None:
            limit = format_ns(forecast["limit_ns"]).lstrip("+")
            if forecast["for_s"] > 0:
                text += f"; within {limit} for another {duration_text(forecast['for_s'])} without measurements"
            else:
                text += f"; no longer within {limit}"
        yield text
