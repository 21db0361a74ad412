"""What a scenario is made of, as plain data: ``scenario_file`` reads it, ``scene`` builds it, ``runner`` runs it.

Times are seconds from the start of the simulated world, in which perfect time is known. Syncs are sent at whole seconds
(a grandmaster starts at one), so ``sample_phase_s`` says how long after a Sync the true error is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ptpstack.clocks.oscillator import OscillatorModel
from ptpstack.servo.options import ServoOptions
from ptpstack.sim.delays import Noise, Spells

ROLES = ("grandmaster", "boundary", "ordinary", "clock")
DIRECTIONS = ("both", "forward", "reverse")

#: kind of event -> the keys that it needs beside at_s
EVENT_KEYS: dict[str, tuple[str, ...]] = {
    "path": ("link", "change_ns"),
    "noise": ("link", "factor"),
    "loss": ("link", "share"),
    "cut": ("link",),
    "silent": ("node",),
    "restart": ("node", "for_s"),
    "wander": ("node", "wander_ppb"),
    "jump": ("node", "jump_ppb"),
    "step": ("node", "step_ns"),
}
#: kinds that ``for_s`` ends
PASSING = ("path", "noise", "loss", "cut", "silent", "restart", "jump")


@dataclass(frozen=True, slots=True)
class Readings:
    """A clock that is compared with perfect time, ``count`` readings in a burst, every ``2**log_interval`` s.

    Each errs by a normal ``noise_ns`` and takes ``window_ns`` + uniform(0, ``window_jitter_ns``); the clock is read in
    the middle. ``pick``: ``mean`` of the burst, or ``best``, the one of the shortest window.
    """

    log_interval: int = 0
    count: int = 1
    noise_ns: float = 0.0
    window_ns: float = 0.0
    window_jitter_ns: float = 0.0
    pick: str = "mean"


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """``role``: ``grandmaster`` (class 6), ``boundary``, ``ordinary`` (client-only), ``clock`` (readings, no PTP)."""

    name: str
    role: str
    start_s: float = 0.0
    oscillator: OscillatorModel = field(default_factory=OscillatorModel)
    temperature_sensor: bool = False
    initial_error_ns: float = 0.0
    grain_ns: int = 1
    stamp_noise_ns: float = 0.0
    max_adjustment_ppb: float = 1e6
    priority1: int = 128
    priority2: int = 128
    clock_accuracy: int = 0x21
    readings: Readings | None = None
    #: settings of this node's ports that differ from the scenario's
    port: dict[str, Any] = field(default_factory=dict)
    #: servo settings that differ from the scenario's
    servo: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PathSpec:
    """One direction of a link, see ``sim.delays.PathDelay``."""

    base_ns: float = 1_000.0
    noise: tuple[Noise, ...] = ()
    spells: Spells | None = None
    loss: float = 0.0
    late_share: float = 0.0
    late_ns: float = 0.0


@dataclass(frozen=True, slots=True)
class LinkSpec:
    """Two nodes, or more on one segment. ``forward`` is from the first of ``nodes`` to the others."""

    name: str
    nodes: tuple[str, ...]
    forward: PathSpec
    reverse: PathSpec


@dataclass(frozen=True, slots=True)
class EventSpec:
    """Happens at ``at_s``, is undone after ``for_s`` (0: never), happens again every ``every_s`` (0: does not)."""

    at_s: float
    kind: str
    node: str = ""
    link: str = ""
    direction: str = "both"
    for_s: float = 0.0
    every_s: float = 0.0
    change_ns: float = 0.0
    factor: float = 1.0
    share: float = 0.0
    wander_ppb: float = 0.0
    jump_ppb: float = 0.0
    step_ns: float = 0.0

    def sentence(self) -> str:
        """For reports and plots."""
        lasting = f" for {self.for_s:g} s" if self.for_s else ""
        way = "" if self.direction == "both" else f", {self.direction}"
        return {
            "path": f"path {self.link}{way} {self.change_ns:+g} ns{lasting}",
            "noise": f"noise of {self.link}{way} x {self.factor:g}{lasting}",
            "loss": f"{self.link}{way} loses {self.share:.0%}{lasting}",
            "cut": f"{self.link}{way} cut{lasting}",
            "silent": f"{self.node} silent{lasting}",
            "restart": f"{self.node} off{lasting}",
            "wander": f"wander of {self.node} {self.wander_ppb:g} ppb",
            "jump": f"frequency of {self.node} {self.jump_ppb:+g} ppb{lasting}",
            "step": f"{self.node} stepped from outside by {self.step_ns:+g} ns",
        }[self.kind]


@dataclass(frozen=True, slots=True)
class Holdover:
    """The stretch without a master, and the error that must not be exceeded (for the forecast)."""

    from_s: float
    to_s: float
    limit_ns: float = 0.0


@dataclass(frozen=True, slots=True)
class Expectation:
    """A limit for a figure (see ``figures.FIGURES``): on its distance from ``near`` where that is given."""

    figure: str
    must: float | None = None
    goal: float | None = None
    near: float | None = None
    #: how seeds are put together; "" is the figure's own way
    over: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """What another program reached in this scenario. ``servo``: the type of ours that has to reproduce it."""

    name: str
    figures: dict[str, float]
    source: str = ""
    servo: str = ""


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    title: str
    nodes: tuple[NodeSpec, ...]
    links: tuple[LinkSpec, ...]
    length_s: float
    stats_from_s: float
    #: the node whose clock is judged
    measured: str
    events: tuple[EventSpec, ...] = ()
    sample_every_s: float = 1.0
    sample_phase_s: float = 0.0
    log_sync_interval: int = 0
    log_delay_req_interval: int = 0
    log_announce_interval: int = 1
    announce_receipt_timeout: int = 3
    delay_mechanism: str = "E2E"
    #: Sync and Pdelay_Resp leave one-step: the NICs complete them
    one_step: bool = False
    #: service is negotiated by unicast, nothing is multicast
    unicast: bool = False
    #: IEEE 802.1AS: relays in the place of boundary clocks
    gptp: bool = False
    domain: int = 0
    sdo_id: int = 0
    servo: ServoOptions = field(default_factory=ServoOptions)
    lock_limit_ns: float = 1_000.0
    holdover: Holdover | None = None
    expect: tuple[Expectation, ...] = ()
    published: tuple[Published, ...] = ()

    def node(self, name: str) -> NodeSpec:
        """KeyError: no such node."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)
