"""What outlives an estimate: noise and oscillator as they were learnt, and the record of the oscillator's days.

A new start begins from it; a restart of the program takes it from the drift file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import sqrt
from typing import Any

from ptpstack.servo.estimator.direction import Direction
from ptpstack.servo.estimator.knowledge import Knowledge
from ptpstack.servo.estimator.oscillator import OscillatorRecord
from ptpstack.servo.estimator.panel import Panel

#: A start that was wrong: the wander may have been, too.
_RESTART_WANDER = 4.0
_RESTART_WANDER_MOST = 1e5


class Memory:
    def __init__(self) -> None:
        self.knowledge = Knowledge()
        self.record = OscillatorRecord()

    def learn(self, panel: Panel, directions: Iterable[Direction], base_ppb: float) -> None:
        """Note what a running filter has learnt; ``base_ppb``: the command that its frequencies are relative to."""
        chosen = panel.chosen
        levels = {d.side: d.level for d in directions}
        self.knowledge = Knowledge(chosen.f - base_ppb, chosen.ff, chosen.q, panel.notch, chosen.x, levels)

    def note_frequency(self, panel: Panel, base_ppb: float) -> None:
        """The oscillator's frequency is worth remembering now."""
        chosen = panel.chosen
        self.record.note(panel.t, chosen.f - base_ppb, sqrt(chosen.ff))

    def prepare(self, panel: Panel) -> None:
        """A panel that begins begins with what is known."""
        known = self.knowledge
        if known.wander_ppb is not None:
            panel.adopt(known.wander_ppb, panel.notch if known.notch is None else known.notch, known.path_wander)

    def level(self, side: int, otherwise: float) -> float:
        """Noise level of a side, ns^2."""
        return self.knowledge.levels.get(side, otherwise)

    def lost(self, q: float, *, proven: bool) -> None:
        """The estimate went astray: so may the frequency have; ``proven`` False: and all else."""
        self.knowledge.oscillator_ppb = None
        if not proven:
            self.knowledge.wander_ppb = min(q * _RESTART_WANDER, _RESTART_WANDER_MOST)
            self.knowledge.levels = {}

    def handed(self, oscillator_ppb: float, sigma_ppb: float) -> None:
        """What another servo of the same clock has learnt of its oscillator, where nothing is known here."""
        if self.knowledge.oscillator_ppb is None:
            self.knowledge.oscillator_ppb = oscillator_ppb
            self.knowledge.variance = sigma_ppb**2

    # ---- across a restart -------------------------------------------------------------------------------------

    def keep(self, t: float) -> dict[str, Any]:
        return {**self.knowledge.as_dict(), "notes": self.record.keep(t)}

    def resume(self, kept: Mapping[str, Any], age_s: float) -> str:
        """What ``keep`` gave ``age_s`` ago; a sentence about it.

        KeyError, TypeError, ValueError: it did not give that; nothing is changed then.
        """
        knowledge = Knowledge.from_dict(kept)
        record = OscillatorRecord()
        record.resume(kept["notes"], age_s)
        self.knowledge, self.record = knowledge.aged(age_s), record
        return f"goes on from {-(knowledge.oscillator_ppb or 0.0):+.1f} ppb, learnt {age_s:.0f} s ago"
