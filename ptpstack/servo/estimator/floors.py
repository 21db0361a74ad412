"""Packets that all fit, and yet show a floor that has risen beneath them, or a noise that is none.

Packets beyond the gate are misfits (``misfits``). These are within it, each by itself no news; together they are.
"""

from __future__ import annotations

from itertools import islice
from math import exp, inf, log, pi, sqrt

from ptpstack.servo.estimator.changes import Changes
from ptpstack.servo.estimator.direction import Direction, Observed
from ptpstack.servo.estimator.panel import Panel
from ptpstack.servo.estimator.startup import second_differences
from ptpstack.servo.estimator.verdict import Verdict, name

#: What is believed when it would otherwise have a probability of e^-15.
SURE = 15.0
#: The same for late packets that might be mere noise, of whatever size.
_NO_NOISE = 10.0
#: Late packets in a row that are noise when they scatter like it, and when it is so many times what it was, ns^2.
_NOISE_RUN = 6
_SCATTERED = 4.0
_NOISIER = 4.0
#: A height that so many packets reach is usual.
_USUAL = 0.05
#: The oscillator may have walked by as much: by this share of a packet's height.
_WALKED = 0.5
#: Late packets in a row that are a reason to doubt.
_DOUBTFUL = 3
_DOUBTFUL_BY = 10.0
#: Late packets lie close together when their range is within this many mean waits.
_LEVEL_WAITS = 5.0
#: A floor that rises in one direction only might be a spell of load there: it takes more to be believed.
_ONE_SIDED = 10
#: Scatter below this share of the level contradicts it, when all packets lie this many widths above the floor.
_CALM = 0.02
_FAR = 0.3
_FAR_READINGS = 1.0
_CALM_PACKETS = 10
#: So little is to be believed that ten packets are close together by chance: e^-10.
_TOGETHER = 10.0


def floor_risen(changes: Changes, seen: Observed, interval_s: float) -> Verdict | None:
    """Packets that are all late, though none by too much to be taken: the floor has risen beneath them, or the noise.

    If all were as before, each would lie beyond the least of them with a probability p; n in a row do with p^n. Were it
    noise of whatever size, n exponential waits of sum S would all lie beyond m with (1 - n m/S)^(n - 1). When the first
    is not to be believed it is noise; when neither is and they lie close together, the floor is where the least of them
    says. Chance may have made packets late before the floor rose: what speaks for a floor begins where that explains
    most (``_risen``), and noise has to explain the run better than that.
    """
    panel, directions = changes.panel, changes.directions
    own = directions[seen.side]
    other = changes.other(own)
    if len(own.late) < 2 or panel.direct:
        return None
    if other is not None and sum(1 for p in other.kept if p.t >= own.late[0].t) < 2:
        return None
    unusual = doubt = 0.0
    level = True
    floors, packets = {}, {}
    for direction in directions.values():
        floors[direction.side], packets[direction.side] = 0.0, 0
        beta, sigma = _noise(panel, direction)
        residuals = _heights(panel, direction.late)
        count = len(residuals)
        if not count:
            continue
        if min(residuals) <= 0.0:
            return None
        begin, explained = _risen(residuals, beta + sigma)
        mean = sum(residuals) / count
        if direction is own and count >= _NOISE_RUN and -count * (1.0 + log(mean)) > explained:
            scattered = -(count - 1) * log(max(1.0 - min(residuals) / mean, 1e-9))
            if scattered < _SCATTERED and disbelief(panel, direction, residuals) > SURE:
                return _noisier(changes, own, seen.t, sum(r * r for r in residuals) / count / 2.0)
        residuals = residuals[begin:]
        packets[direction.side] = count = len(residuals)
        least = min(residuals)
        level = level and max(residuals) - least <= _LEVEL_WAITS * (beta + sigma)
        unusual += disbelief(panel, direction, residuals)
        doubt -= (count - 1) * log(max(1.0 - count * least / sum(residuals), 1e-9))
        floors[direction.side] = max(0.0, least - _least_of(count, beta, direction.ways))
    both = all(floors.values())
    if not level or unusual < SURE or doubt < _NO_NOISE or (not both and packets[own.side] < _ONE_SIDED):
        return None
    verdict = changes.moved(seen, floors, sum(packets.values()), own.level, interval_s)
    changes.happened(seen.t)
    return verdict


def _heights(panel: Panel, late: list[Observed]) -> list[float]:
    """Of late packets above the floor as it is believed in now, ns; of those so old that the oscillator may have walked
    by as much since, above the floor believed in when they came.
    """
    heights = []
    for p in late:
        height, age = panel.residual(p.side, p.t, p.value), panel.t - p.t
        walked = age > 0.0 and panel.q * age * sqrt(age / 3.0) > _WALKED * abs(height)
        heights.append(p.nu if walked else height)
    return heights


def _risen(heights: list[float], unit: float) -> tuple[int, float]:
    """With which packet the floor has risen, if it has, and the log likelihood of that: exponential waits of mean
    ``unit`` above the old floor, from there on above the least of them.
    """
    late = sum(heights)
    best, begin = -inf, 0
    above, least = 0.0, inf
    for index in range(len(heights) - 1, -1, -1):
        height = heights[index]
        least = min(least, height)
        above += height
        late -= height
        explained = -(late + above - (len(heights) - index) * least) / unit
        if explained > best:
            best, begin = explained, index
    return begin, best - len(heights) * log(unit)


def _beyond(waits: float, ways: float) -> float:
    """Probability that a packet lies so many mean waits above the floor."""
    # the mean of two waits exceeds x mean waits when their sum exceeds 2 x of them
    return exp(-waits) if ways == 1.0 else (1.0 + 2.0 * waits) * exp(-2.0 * waits)


def _least_of(count: int, beta: float, ways: float) -> float:
    """About how far above the floor the least of so many packets is, ns."""
    return beta / count if ways == 1.0 else beta * sqrt(pi / (8.0 * count))


def _noisier(changes: Changes, own: Direction, t: float, level: float) -> Verdict | None:
    before = sqrt(own.level)
    if level < _NOISIER * own.level:
        return None
    packets = len(own.late)
    own.set_level(level, packets)
    changes.noisier(own, t)
    return Verdict(
        "noise",
        f"{packets} late, scattered {name(own)} packets in a row: {sqrt(own.level):.3g} ns of noise where "
        f"{before:.3g} ns were usual",
        {"direction": name(own), "before_ns": before, "now_ns": sqrt(own.level)},
    )


def late_doubt_ns(changes: Changes) -> float:
    """How far the clock may be off if a run of late packets, which is not believed in yet, is a floor that has risen in
    one direction alone: by half of that. Strays among them are judged elsewhere (``misfits``).
    """
    panel = changes.panel
    doubt = 0.0
    if panel.direct:
        return doubt
    for direction in changes.directions.values():
        late = direction.late
        if len(late) < _DOUBTFUL:
            continue
        heights = _heights(panel, [p for p in late if not p.misfit])
        if len(heights) < _DOUBTFUL:
            continue
        beta, sigma = _noise(panel, direction)
        heights = heights[_risen(heights, beta + sigma)[0] :]
        least = min(heights)
        if least > 0.0 and disbelief(panel, direction, heights) > _DOUBTFUL_BY:
            doubt = max(doubt, 0.5 * least)
    return doubt


def disbelief(panel: Panel, direction: Direction, heights: list[float]) -> float:
    """How little is to be believed that packets of a direction lie this high (ns) above its floor by chance: -ln p."""
    beta, sigma = _noise(panel, direction)
    return -len(heights) * log(_share(direction, min(heights), beta, sigma))


def is_usual(panel: Panel, direction: Direction, height: float) -> bool:
    """Now and then the last packet's height (ns above the floor) is seen in its direction, without any event."""
    beta, sigma = _noise(panel, direction)
    return direction.share_beyond(height / (beta + sigma), 1) > _USUAL


def _share(direction: Direction, high: float, beta: float, sigma: float) -> float:
    """How often a packet lies at least that high above a floor that has not risen."""
    return max(
        direction.share_beyond(high / (beta + sigma)), _beyond(high / beta, direction.ways) if beta > sigma else 0.0
    )


def _noise(panel: Panel, direction: Direction) -> tuple[float, float]:
    """(mean wait, standard deviation of the symmetric part) of a direction, ns."""
    share = panel.share
    return sqrt((1.0 - share) * direction.level), sqrt(share * direction.level / direction.ways + 0.1)


def floor_too_far(changes: Changes, direction: Direction, grain2: float) -> Verdict | None:
    """Packets that are all late by about the same do not wait: the floor lies elsewhere."""
    panel = changes.panel
    if len(direction.kept) < _CALM_PACKETS:
        return None
    far = (_FAR_READINGS if panel.direct else _FAR) * sqrt(direction.level)
    residuals = []
    # the newest ones first: most often they say at once that all is well
    for p in islice(reversed(direction.kept), _CALM_PACKETS):
        residual = panel.residual(p.side, p.t, p.value)
        if p.misfit or (abs(residual) if panel.direct else residual) < far:
            return None
        residuals.append(residual)
    kept = list(direction.kept)[-_CALM_PACKETS:]
    least = min(residuals)
    if panel.direct:
        # readings that are all early count as well; some late and some early are noise
        least = max(least, -max(residuals))
    if least < far:
        return None
    if -(len(kept) - 1) * log(max(direction.close_share, 0.1)) < _TOGETHER:
        # a path with two ways, each of them sharp: such runs are nothing special
        return None
    scatter = max(second_differences(kept), default=inf)
    # the mean of two waits scatters less to begin with
    if scatter + grain2 + 0.1 > _CALM * direction.level / direction.ways**2:
        return None
    before = sqrt(direction.level)
    direction.set_level(2.0 * scatter + grain2, _CALM_PACKETS)
    inputs = {"direction": name(direction), "before_ns": before, "now_ns": sqrt(scatter)}
    told = f"{name(direction)} packets scatter by {sqrt(scatter):.3g} ns where {before:.3g} ns were believed in"
    if panel.direct or _opposite(changes, direction, least):
        # noise was taken for what is wander: a walk by q strays by q sqrt(span^3 / 3)
        size = abs(panel.residual(kept[-1].side, kept[-1].t, kept[-1].value))
        span = kept[-1].t - kept[0].t
        walk = 0.5 * size / sqrt(span**3 / 3.0)
        panel.adopt(max(panel.q, walk), panel.notch)
        panel.open(phase=size * size, frequency=(size / span) ** 2)
        changes.happened(kept[-1].t)
        return Verdict("calm", f"{told}, all on one side: it is the clock that moves", inputs)
    floors = {direction.side: least}
    interval_s = (kept[-1].t - kept[0].t) / (len(kept) - 1)
    variance = scatter + (_FAR * least) ** 2
    changes.moved(kept[-1], floors, len(kept), variance, interval_s)
    changes.happened(kept[-1].t)
    return Verdict("calm", f"{told}: the floor is {least:.4g} ns higher", inputs)


def _opposite(changes: Changes, direction: Direction, by: float) -> bool:
    """The other direction's packets are early by about as much as this one's are late: no path does that."""
    other = changes.directions.get(-direction.side) if direction.side else None
    kept = list(other.kept)[-_CALM_PACKETS // 2 :] if other is not None else []
    return len(kept) >= _CALM_PACKETS // 2 and all(
        changes.panel.residual(p.side, p.t, p.value) < -0.5 * by for p in kept
    )
