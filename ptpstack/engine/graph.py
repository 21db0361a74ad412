"""What may be connected with what: the clock graph before anything runs.

Nodes are clocks; the clocks of one instance's ports count as one node, because they follow whichever of them follows a
master. A configuration whose edges between nodes make a circle is refused: a loop keeps no time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def groups(instances: Iterable[Sequence[str]]) -> dict[str, frozenset[str]]:
    """The clocks that are tied to each other, from the port clocks of each instance; a clock alone is no key."""
    tied: dict[str, frozenset[str]] = {}
    for clocks in instances:
        if len(clocks) > 1:
            together = frozenset(clocks).union(*(tied.get(clock, ()) for clock in clocks))
            tied.update(dict.fromkeys(together, together))
    return tied


def why_refused(edge: tuple[str, str], others: Iterable[tuple[str, str]], tied: dict[str, frozenset[str]]) -> str:
    """Why an edge (source, clock) cannot be had beside the others, or ""."""
    source, clock = edge
    if source == clock:
        return f"{clock} cannot follow itself"
    if clock in tied.get(source, ()):
        return f"{source} and {clock} belong to ports of one instance, and follow each other already"
    # walk upstream from the source: nothing on the way may be the clock
    node = _node(clock, tied)
    above: dict[str, list[str]] = {}
    for one, other in others:
        above.setdefault(_node(other, tied), []).append(one)
    paths = [[clock, source]]
    seen = set()
    while paths:
        path = paths.pop()
        here = _node(path[-1], tied)
        if here == node:
            return "these edges make a loop, and a loop keeps no time: " + " -> ".join(reversed(path))
        if here not in seen:
            seen.add(here)
            paths += [[*path, upper] for upper in above.get(here, ())]
    return ""


def _node(clock: str, tied: dict[str, frozenset[str]]) -> str:
    return min(tied.get(clock, (clock,)))
