"""Another configuration for a running node: what can be is taken on, and taken back unless somebody confirms it.

1. A change is asked for, checked whole, and then made in one turn of the loop; a file with errors changes nothing.
2. What needs a restart is said, and left: the node goes on as it is there.
3. While a change waits for its confirmation there is no other. Without it, the former settings come back by themselves,
   also when who made the change cannot reach this machine any more. What a restart finds is in the file, not here.
4. Every change leaves a line in the journal: who, from where, what.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ptpstack.config.load import parse_site
from ptpstack.config.model import Site
from ptpstack.node.control import Caller, ControlError
from ptpstack.timebase.units import NS_PER_S

if TYPE_CHECKING:
    from ptpstack.config.difference import Change

#: how long a change may wait for its confirmation, s
LONGEST_S = 86_400
#: changes that a line of the journal names
SHOWN = 8


@dataclass(frozen=True, slots=True)
class Pending:
    """The settings to go back to, and when (ns)."""

    before: Site
    file: str
    by: str
    due_ns: int


class LiveConfiguration:
    def __init__(
        self,
        site: Site,
        overrides: dict[str, Any],
        objections: Callable[[Site], list[str]],
        carry_out: Callable[[list[Change], Site], None],
        say: Callable[[int, str, dict[str, Any]], None],
    ) -> None:
        """``overrides``: what the command line has put over [node]. ``objections`` says in sentences what this node
        lacks for a site; ``carry_out`` makes changes, all of them live; ``say`` takes a severity, a sentence and what
        it is made of.
        """
        self.site = site
        self._overrides = overrides
        self._objections = objections
        self._carry_out = carry_out
        self._say = say
        self.pending: Pending | None = None

    # ---- commands -----------------------------------------------------------------------------------------------

    def apply(self, request: dict[str, Any], caller: Caller, now: int) -> dict[str, Any]:
        """``text`` and ``base`` of a site file; ``dry_run``; ``confirm_within_s`` (absent: for good). ControlError."""
        from ptpstack.config.difference import differences, taken_on

        text, base = request.get("text"), request.get("base")
        file = request.get("file", "")
        within = request.get("confirm_within_s")
        dry = request.get("dry_run", False)
        if not isinstance(text, str) or not isinstance(base, (str, type(None))) or not isinstance(file, str):
            raise ControlError('"text" is a site file, "base" the directory it lies in, "file" its name')
        if not isinstance(dry, bool):
            raise ControlError('"dry_run" is true or false')
        whole = isinstance(within, int) and not isinstance(within, bool)
        if within is not None and not (whole and 1 <= within <= LONGEST_S):
            raise ControlError(f'"confirm_within_s" is a number of seconds from 1 to {LONGEST_S}, or absent')
        site, findings = parse_site(text, base)
        if site is None:
            errors = [str(finding) for finding in findings if finding.severity == "error"]
            raise ControlError("the file has errors, nothing was changed: " + "; ".join(errors))
        site = replace(site, node=replace(site.node, **self._overrides))
        changes = differences(self.site, site)
        live = [change for change in changes if change.live]
        if not dry:
            if self.pending is not None:
                raise ControlError(
                    f"a change by {self.pending.by} waits for its confirmation for {self._left_s(now)} s more; confirm "
                    "it (ptpstack apply --confirm) or take it back (ptpstack apply --roll-back) first"
                )
            if live:
                before, new = self.site, taken_on(self.site, site, changes)
                objections = self._objections(new)
                if objections:
                    raise ControlError("nothing was changed: " + "; ".join(objections))
                self._carry_out(live, new)
                self.site = new
                if within is not None:
                    self.pending = Pending(before, file, caller.words, now + within * NS_PER_S)
                self._tell(f"apply {file} by {caller.words}", live, within)
        return {
            "file": file,
            "changes": [change.as_dict() for change in changes],
            "applied": 0 if dry else len(live),
            "needs_restart": len(changes) - len(live),
            "dry_run": dry,
            "confirm_within_s": within if live and not dry else None,
        }

    def confirm(self, request: dict[str, Any], caller: Caller, now: int) -> dict[str, Any]:
        pending = self._the_pending()
        self.pending = None
        self._say(5, f"apply {pending.file} confirmed by {caller.words}", {"confirmed": True})
        return {"file": pending.file, "confirmed": True}

    def roll_back(self, request: dict[str, Any], caller: Caller, now: int) -> dict[str, Any]:
        pending = self._the_pending()
        return {"file": pending.file, "changes": self._back(pending, f"by {caller.words}")}

    def _the_pending(self) -> Pending:
        if self.pending is None:
            raise ControlError("no change waits for a confirmation (it may have been taken back by itself)")
        return self.pending

    # ---- time ---------------------------------------------------------------------------------------------------

    def periodic(self, now: int) -> int | None:
        """Takes back what was not confirmed in time. The next time to look, ns."""
        if self.pending is None:
            return None
        if now >= self.pending.due_ns:
            self._back(self.pending, "because nobody has confirmed it")
            return None
        return self.pending.due_ns

    def _back(self, pending: Pending, why: str) -> list[dict[str, Any]]:
        from ptpstack.config.difference import differences

        changes = differences(self.site, pending.before)
        # first of all: what is carried out may ask again what waits
        self.site, self.pending = pending.before, None
        try:
            self._carry_out(changes, pending.before)
        except (KeyError, ValueError, OSError) as error:
            # what cannot be taken back must not end the time service
            self._say(3, f"apply {pending.file} could not be taken back whole: {error}; restart the node", {})
        self._tell(f"apply {pending.file} taken back {why}", changes, None)
        return [change.as_dict() for change in changes]

    def _left_s(self, now: int) -> int:
        return 0 if self.pending is None else max(0, (self.pending.due_ns - now) // NS_PER_S)

    # ---- what is told -------------------------------------------------------------------------------------------

    def _tell(self, head: str, changes: list[Change], within: int | None) -> None:
        words = [change.words for change in changes]
        more = f", and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
        tail = f" (taken back in {within} s unless confirmed)" if within is not None else ""
        data = {"changes": [change.as_dict() for change in changes], "confirm_within_s": within}
        self._say(5, f"{head}: {'; '.join(words[:SHOWN])}{more}{tail}", data)

    def as_dict(self, now: int) -> dict[str, Any] | None:
        """What waits for its confirmation, JSON-ready."""
        if self.pending is None:
            return None
        return {"file": self.pending.file, "by": self.pending.by, "left_s": self._left_s(now)}
