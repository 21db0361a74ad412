"""The one interface between measurements and a clock that is steered.

Rules of this room:

1. Each observation is handed over by itself: ``sync`` (t1, t2) and ``delay`` (t3, t4) one-way; ``link_delay`` (peer
   delay, known at a time of this clock); ``reading`` (a direct comparison, such as PHC to system clock or a pulse per
   second). Whether a servo pairs them is its own business.
2. A servo answers with a ``Command``: a frequency, perhaps a step, perhaps a moment at which to ask it again.
3. The driver tells every servo of a clock what was really done to it and when (``commanded``), also those that only
   watch: a servo accounts for the phase that commands have put into the clock.
4. Signs: offset = this clock minus its master; a frequency in ppb is what the clock is told, positive = faster.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple, Protocol

from ptpstack.protocol.decision import Decision
from ptpstack.timebase.estimate import Estimate


class ServoState(Enum):
    UNLOCKED = "unlocked"
    #: converging: offsets are known, not yet within the lock limits
    TRACKING = "tracking"
    LOCKED = "locked"
    HOLDOVER = "holdover"


class Command(NamedTuple):
    """What to do with the steered clock now. The frequency first, then ``step_sns`` is added to the clock."""

    frequency_ppb: float | None = None
    step_sns: int | None = None
    #: ask ``Servo.timer`` at this time of the driver's monotonic clock, ns
    again_at_ns: int | None = None
    reason: str = ""
    #: news about the clock, the path or the noise that the last observation has brought
    verdict: Decision | None = None


class Learnt(NamedTuple):
    """A command with which a clock neither gains nor loses, as a servo has learnt it, and its standard deviation."""

    frequency_ppb: float
    sigma_ppb: float


class Request(NamedTuple):
    """t1 of a Pdelay_Req (our clock), t2 (the neighbour's): reverse delay - offset = t2 - t1 - correction."""

    t1_sns: int
    t2_sns: int
    correction_sns: int


class Servo(Protocol):
    """Contract: tests/servo/test_contract.py runs over every servo.

    All times ``*_sns`` are PTP time on the steered clock, except t1 and t4 (master's clock). ``now_ns`` is the driver's
    monotonic clock.
    """

    name: str

    @property
    def reason(self) -> str:
        """A sentence: what the last observation led to."""

    @property
    def samples(self) -> int:
        """Offsets taken since the last loss: 0 means that this servo cannot say anything of its clock yet."""

    @property
    def state(self) -> ServoState: ...

    def sync(self, t1_sns: int, t2_sns: int, correction_sns: int, now_ns: int) -> Command | None: ...

    def delay(self, t3_sns: int, t4_sns: int, correction_sns: int, now_ns: int) -> Command | None: ...

    def link_delay(self, clock_sns: int, delay_sns: int, now_ns: int, request: Request | None = None) -> Command | None:
        """The mean delay of the link at ``clock_sns``. ``request``: where the neighbour is the master itself, what its
        stamp of our Pdelay_Req says beside that, if it should be of the same clock as its Syncs.
        """

    def reading(self, clock_sns: int, offset_sns: int, bound_ns: float, now_ns: int) -> Command | None: ...

    def timer(self, now_ns: int) -> Command | None: ...

    def temperature(self, celsius: float, now_ns: int) -> Command | None:
        """What a sensor near the clock's oscillator shows now."""

    def commanded(self, clock_sns: int, frequency_ppb: float, step_sns: int, now_ns: int) -> None: ...

    def new_master(self, now_ns: int) -> None: ...

    def master_uncertain(self, uncertain: bool) -> None:
        """The master says that it is not settled itself: its time may still jump, and nobody relies on this clock."""

    def set_sync_interval(self, log_interval: int) -> None: ...

    def lost(self, now_ns: int) -> Command | None:
        """The master is gone: hold over."""

    def overheard(self, t1_sns: int, t2_sns: int, correction_sns: int, now_ns: int) -> Command | None:
        """A Sync of the master that was lost, which nobody follows any longer: it may help to hold over, and changes no
        state. It may come again as ``sync`` when that master is followed anew.
        """

    @property
    def steering(self) -> bool:
        """False: this servo only watches, its answers carry no command."""

    def take_over(self, frequency_ppb: float, *, in_service: bool = False, learnt_ppb: float | None = None) -> None:
        """Begin to steer a clock that runs with ``frequency_ppb`` now.

        ``in_service``: it has been steered before, so a first step is not owed to it any more. ``learnt_ppb``: that
        frequency was learnt by a servo that was locked, so that it need not be learnt again, and this is its standard
        deviation.
        """

    def watch_only(self) -> Learnt | None:
        """Steer no more. The frequency to leave the clock with, when one has been learnt."""

    def step_refused(self) -> None:
        """The step that this servo asked for did not happen: it is still owed."""

    def clock_stepped(self) -> None:
        """The clock is being stepped; by how much, ``commanded`` tells. If it does not, somebody else has done it."""

    def estimate(self, now_ns: int) -> Estimate | None: ...

    def bound_after(self, seconds: float, now_ns: int) -> float | None:
        """The statistical part of the bound (ns) that far from now, if nothing is measured until then; None: unknown.

        Does not fall with ``seconds``.
        """

    def keep(self, now_ns: int) -> dict[str, Any] | None:
        """What has been learnt and is worth keeping over a restart, JSON-ready; None: nothing yet."""

    def resume(self, kept: Mapping[str, Any], age_s: float, frequency_ppb: float) -> None:
        """Go on from what ``keep`` gave ``age_s`` ago; the clock runs with ``frequency_ppb`` now.

        Before the first observation. KeyError, TypeError or ValueError for what ``keep`` cannot have given.
        """

    def path_delay_ns(self) -> float | None: ...
