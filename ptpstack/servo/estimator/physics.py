"""A path takes time: what no estimate may contradict.

The delay lies between nothing and half of the round trip that was seen, and no wait is longer than the round trip. An
estimate that says otherwise has gone astray and is taken back to what the last packets allow.
"""

from __future__ import annotations

from math import sqrt

from ptpstack.servo.estimator.changes import TRIPS, Changes
from ptpstack.servo.estimator.direction import Observed
from ptpstack.servo.estimator.verdict import Verdict

#: Misfits in a row that may stay unexplained before physics speaks.
_PATIENCE = 10


def note_round_trip(changes: Changes, seen: Observed) -> None:
    """Note the round trip that ``seen`` completes, whatever else it may mean."""
    directions = changes.directions
    if seen.side == 0:
        # a peer delay is one
        _note(changes, 2.0 * seen.value, 0.0)
        return
    own, other = directions[seen.side], directions.get(-seen.side)
    if other is None or len(own.kept) < 2 or not other.kept:
        return
    before, between = own.kept[-2], other.kept[-1]
    # a trip across an event would be half of the old path and half of the new one
    if before.t < between.t < seen.t and before.t >= changes.event_t:
        # the other direction's packet against the line between its neighbours: no frequency has to be known
        gap = seen.t - before.t
        share = (between.t - before.t) / gap
        trip = between.value + before.value + share * (seen.value - before.value)
        _note(changes, trip, changes.panel.q * gap * sqrt(gap))


def _note(changes: Changes, trip: float, drift: float) -> None:
    changes.longest.append(trip + drift)
    changes.shortest.append(trip - drift)


def check(changes: Changes, seen: Observed, interval_s: float, grain2: float) -> Verdict | None:
    """After each packet: None when nothing is contradicted."""
    panel = changes.panel
    own = changes.directions[seen.side]
    other = changes.other(own)
    if other is None or len(changes.longest) < TRIPS:
        return None
    chosen = panel.chosen
    most, least = max(changes.longest), min(changes.shortest)
    cap = most * most + 1.0 if most > 0.0 else 1.0
    for direction in (own, other):
        if other.side + own.side and (direction.side or most <= 0.0):
            # with peer delay, Sync may have come further than the link; and a short link may seem to take no time
            continue
        direction.most = cap
        if direction.level > cap:
            direction.level = cap
    level = own.level if own.level > other.level else other.level
    slack = 4.0 * sqrt(chosen.dd + panel.share * level + grain2) + 10.0
    delay = chosen.d
    if (least / 2.0 if least < 0.0 else 0.0) - slack <= delay <= (most / 2.0 if most > 0.0 else 0.0) + slack:
        return None
    if 0 < max(len(own.run), len(other.run)) < _PATIENCE:
        # a path that has just become shorter contradicts too: a run has the first word
        return None
    trip = (changes.longest[-1] + changes.shortest[-1]) / 2.0
    size = max(abs(trip), abs(chosen.d))
    verdict = Verdict(
        "physics",
        f"a delay of {chosen.d:.4g} ns contradicts a round trip of {trip:.4g} ns: back to what that allows",
        {"delay_ns": chosen.d, "round_trip_ns": trip},
    )
    forward = changes.directions[1].kept[-1] if seen.side == 0 else seen
    phase = forward.side * (forward.value - trip / 2.0) + chosen.f * (seen.t - forward.t)
    panel.adopt(4.0 * panel.q, panel.notch, chosen.x)
    room = trip * trip
    panel.begin(
        seen.t,
        (phase, chosen.f, trip / 2.0),
        (room, 0.0, 0.0, chosen.ff + (size / interval_s) ** 2, 0.0, room),
    )
    changes.happened(seen.t)
    return verdict
