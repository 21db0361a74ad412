"""BMCA: ptpstack and ptp4l agree who is grandmaster, and the states of all ports fit together.

Every case is a small topology with data sets that differ in one thing. The answer expected is written down for each
case; both sides must give it, and still give it a while later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from tests.interop.bench import Bench, Node, Outcome, Ptp4l, identity, need_peers, pause, together, until
from tests.interop.frames import judge_frames

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.slow]

AGREE_WITHIN_S = 25.0
#: how long an agreement has to last: several announce intervals of half a second
LASTING_S = 2.5
LOG_ANNOUNCE = -1

#: What the two ends of a link look like. ptp4l with free_running follows in UNCALIBRATED and never calls itself SLAVE.
FOLLOWS = {"SLAVE", "UNCALIBRATED"}


@dataclass(frozen=True)
class Quality:
    """What is announced; the defaults are the same on both sides. ``low`` decides the clockIdentity."""

    priority1: int = 128
    clock_class: int = 248
    accuracy: int = 0xFE
    variance: int = 0xFFFF
    priority2: int = 128
    clock_identity: str = ""
    client_only: bool = False


@dataclass
class View:
    grandmaster: str
    steps_removed: int
    states: list[str]
    parent: str = ""


@dataclass
class Agreement:
    """Who is who, and what each saw."""

    names: dict[str, str]
    views: dict[str, View]
    kinds: dict[str, str] = field(default_factory=dict)


def our_site(quality: Quality, transport: str, *interfaces: str) -> str:
    role = "boundary" if len(interfaces) > 1 else "ordinary"
    lines = [
        "[[clock]]",
        'type = "simulated"',
        'oscillator = "perfect"',
        "[[instance]]",
        'profile = "unrestricted"',  # announce intervals below a second, to be quick
        f'role = "{role}"',
        f"clock_accuracy = {quality.accuracy}",
        f"variance = {quality.variance}",
        f'clock_identity = "{quality.clock_identity}"',
    ]
    if quality.client_only:
        lines.append("client_only = true")
    else:
        lines += [
            f"priority1 = {quality.priority1}",
            f"priority2 = {quality.priority2}",
            f"clock_class = {quality.clock_class}",
        ]
    for interface in interfaces:
        lines += [
            "[[instance.port]]",
            f'interface = "{interface}"',
            f'transport = "{transport}"',
            f"log_announce_interval = {LOG_ANNOUNCE}",
        ]
    return "\n".join(lines) + "\n"


def their_options(quality: Quality) -> dict[str, Any]:
    number = quality.clock_identity
    return {
        "priority1": quality.priority1,
        "priority2": quality.priority2,
        "clockClass": quality.clock_class,
        "clockAccuracy": f"0x{quality.accuracy:02x}",
        "offsetScaledLogVariance": f"0x{quality.variance:04x}",
        "clockIdentity": f"{number[:6]}.{number[6:10]}.{number[10:]}",
        "slaveOnly": int(quality.client_only),
        "logAnnounceInterval": LOG_ANNOUNCE,
    }


def look(who: Node | Ptp4l) -> View | None:
    if isinstance(who, Node):
        instance = who.instance()
        return View(
            identity(instance["grandmaster"]["identity"]),
            instance["steps_removed"],
            [port["state"] for port in instance["ports"]],
            identity(instance["parent"].rpartition("-")[0]),
        )
    answers = who.pmc("GET PARENT_DATA_SET", "GET CURRENT_DATA_SET", "GET PORT_DATA_SET")
    if set(answers) != {"PARENT_DATA_SET", "CURRENT_DATA_SET", "PORT_DATA_SET"}:
        return None
    parent = answers["PARENT_DATA_SET"][0]
    ports = sorted(answers["PORT_DATA_SET"], key=lambda p: int(p["portIdentity"].rpartition("-")[2]))
    return View(
        identity(parent["grandmasterIdentity"]),
        int(answers["CURRENT_DATA_SET"][0]["stepsRemoved"]),
        [port["portState"] for port in ports],
        identity(parent["parentPortIdentity"].rpartition("-")[0]),
    )


def fits(view: View | None, expected: View) -> bool:
    if view is None or view.grandmaster != expected.grandmaster or view.steps_removed != expected.steps_removed:
        return False
    if expected.parent and view.parent != expected.parent:
        return False
    return len(view.states) == len(expected.states) and all(
        state in FOLLOWS if wanted == "SLAVE" else state == wanted
        for state, wanted in zip(view.states, expected.states, strict=True)
    )


def agree(bench: Bench, expected: dict[str, tuple[Node | Ptp4l, View]]) -> None:
    """Wait until everybody's view is the expected one, and see that it lasts."""
    views: dict[str, View | None] = {}

    def all_fit() -> bool:
        views.update({name: look(who) for name, (who, _) in expected.items()})
        return all(fits(views[name], view) for name, (_, view) in expected.items())

    def report() -> str:
        return "\n".join(f"{name}: {views.get(name)}\n    expected {view}" for name, (_, view) in expected.items())

    try:
        until("the expected election", all_fit, AGREE_WITHIN_S, 0.25)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{report()}") from None
    pause(LASTING_S)
    assert all_fit(), f"the agreement did not last\n{report()}"


LOW, MIDDLE, HIGH = "020000fffe000001", "020000fffe000002", "020000fffe000003"


@dataclass(frozen=True)
class Pair:
    """Two clocks on one link. ``ours`` and ``theirs`` are the states that their ports must reach."""

    us: Quality
    them: Quality
    grandmaster: str
    ours: str
    theirs: str


def pair(better: str, us: dict[str, Any], them: dict[str, Any], ours: str = "", theirs: str = "") -> Pair:
    """``better`` is ``us`` or ``them``. The winner has the higher clockIdentity, unless that is what decides."""
    identities = {"clock_identity": HIGH}, {"clock_identity": LOW}
    mine, other = identities if better == "us" else identities[::-1]
    u, t = Quality(**{**mine, **us}), Quality(**{**other, **them})
    return Pair(
        u,
        t,
        (u if better == "us" else t).clock_identity,
        ours or ("MASTER" if better == "us" else "SLAVE"),
        theirs or ("SLAVE" if better == "us" else "MASTER"),
    )


PAIRS: dict[str, Pair] = {
    # the winner has the worse of everything that comes later in the comparison
    "priority1, we win": pair("us", {"priority1": 127, "clock_class": 250}, {"clock_class": 130}),
    "priority1, they win": pair("them", {"clock_class": 130}, {"priority1": 127, "clock_class": 250}),
    "clockClass, we win": pair("us", {"clock_class": 187}, {"accuracy": 0x21}),
    "clockClass, they win": pair("them", {"accuracy": 0x21}, {"clock_class": 187}),
    "clockAccuracy, we win": pair("us", {"accuracy": 0x21}, {"accuracy": 0x22, "variance": 0x4000}),
    "clockAccuracy, they win": pair("them", {"accuracy": 0x22, "variance": 0x4000}, {"accuracy": 0x21}),
    "variance, we win": pair("us", {"variance": 0x4E5D}, {"variance": 0x4E5E, "priority2": 1}),
    "variance, they win": pair("them", {"variance": 0x4E5E, "priority2": 1}, {"variance": 0x4E5D}),
    "priority2, we win": pair("us", {"priority2": 127}, {}),
    "priority2, they win": pair("them", {}, {"priority2": 127}),
    "clockIdentity, we win": pair("us", {"clock_identity": LOW}, {"clock_identity": HIGH}),
    "clockIdentity, they win": pair("them", {"clock_identity": HIGH}, {"clock_identity": LOW}),
    # a class of 127 or better never follows: the loser is silent, and stays its own grandmaster
    "class 6 against 7, we win": pair("us", {"clock_class": 6}, {"clock_class": 7}, "MASTER", "PASSIVE"),
    "class 6 against 7, they win": pair("them", {"clock_class": 7}, {"clock_class": 6}, "PASSIVE", "MASTER"),
    # class decides against priority1, and only the worse of two good classes is silent
    "class 6 follows nobody": pair("them", {"clock_class": 6}, {"priority1": 1}, "PASSIVE", "MASTER"),
    "client only, ours": pair(
        "them", {"client_only": True}, {"priority1": 254, "priority2": 254, "clock_identity": HIGH}
    ),
    # ptp4l keeps its priorities when it is client only, so only class and what comes after it may be worse on our side
    "client only, theirs": pair("us", {"accuracy": 0xFE, "priority2": 254}, {"client_only": True, "clock_class": 255}),
}


def run_pair(case: Pair, transport: str, bench: Bench) -> None:
    a, b = bench.namespace("ours"), bench.namespace("theirs")
    bench.wire(a, "v0", b, "v1")
    bench.capture(a, "v0")
    ours = bench.site(a, our_site(case.us, transport, "v0"))
    theirs = bench.ptp4l(b, "v1", transport=transport, **their_options(case.them))
    ours.ready()

    def view(state: str, own: str) -> View:
        follows = state == "SLAVE"
        # who is silent for its class keeps calling itself the grandmaster
        return View(case.grandmaster if follows or state == "MASTER" else own, int(follows), [state])

    agree(
        bench,
        {
            "ours": (ours, view(case.ours, case.us.clock_identity)),
            "theirs": (theirs, view(case.theirs, case.them.clock_identity)),
        },
    )


# ---- topologies --------------------------------------------------------------------------------------------------


def two_links_we_serve(transport: str, bench: Bench) -> None:
    """Both ports of one hear both ports of the other: the follower's second port is silent, and no loop closes."""
    a, b = bench.namespace("ours"), bench.namespace("theirs")
    bench.wire(a, "a1", b, "b1")
    bench.wire(a, "a2", b, "b2")
    bench.capture(a, "a1")
    bench.capture(a, "a2")
    ours = bench.site(a, our_site(Quality(priority1=100, clock_identity=HIGH), transport, "a1", "a2"))
    theirs = bench.ptp4l(b, "b1", "b2", transport=transport, **their_options(Quality(clock_identity=LOW)))
    ours.ready()
    agree(
        bench,
        {
            "ours": (ours, View(HIGH, 0, ["MASTER", "MASTER"])),
            "theirs": (theirs, View(HIGH, 1, ["SLAVE", "PASSIVE"], HIGH)),
        },
    )


def two_links_they_serve(transport: str, bench: Bench) -> None:
    a, b = bench.namespace("ours"), bench.namespace("theirs")
    # crossed: our port 1 hears their port 2
    bench.wire(a, "a1", b, "b2")
    bench.wire(a, "a2", b, "b1")
    bench.capture(a, "a1")
    bench.capture(a, "a2")
    ours = bench.site(a, our_site(Quality(clock_identity=LOW), transport, "a1", "a2"))
    theirs = bench.ptp4l(
        b, "b1", "b2", transport=transport, **their_options(Quality(priority1=100, clock_identity=HIGH))
    )
    ours.ready()
    # the sender with the lower portIdentity wins, and that is heard on our port 2
    agree(
        bench,
        {
            "ours": (ours, View(HIGH, 1, ["PASSIVE", "SLAVE"], HIGH)),
            "theirs": (theirs, View(HIGH, 0, ["MASTER", "MASTER"])),
        },
    )


def chain_through_us(transport: str, bench: Bench) -> None:
    """ptp4l - ptpstack - ptp4l: one step more behind us."""
    a, b, c = bench.namespace("gm"), bench.namespace("ours"), bench.namespace("end")
    bench.wire(a, "v0", b, "b1")
    bench.wire(b, "b2", c, "v1")
    bench.capture(b, "b1")
    bench.capture(b, "b2")
    grandmaster = bench.ptp4l(
        a, "v0", transport=transport, **their_options(Quality(priority1=100, clock_identity=HIGH))
    )
    ours = bench.site(b, our_site(Quality(clock_identity=MIDDLE), transport, "b1", "b2"))
    end = bench.ptp4l(c, "v1", transport=transport, **their_options(Quality(clock_identity=LOW)))
    ours.ready()
    agree(
        bench,
        {
            "gm": (grandmaster, View(HIGH, 0, ["MASTER"])),
            "ours": (ours, View(HIGH, 1, ["SLAVE", "MASTER"], HIGH)),
            "end": (end, View(HIGH, 2, ["SLAVE"], MIDDLE)),
        },
    )


def chain_through_them(transport: str, bench: Bench) -> None:
    """ptpstack - ptp4l - ptpstack: one step more behind them."""
    a, b, c = bench.namespace("gm"), bench.namespace("theirs"), bench.namespace("end")
    bench.wire(a, "v0", b, "b1")
    bench.wire(b, "b2", c, "v1")
    bench.capture(a, "v0")
    bench.capture(c, "v1")
    grandmaster = bench.site(a, our_site(Quality(priority1=100, clock_identity=HIGH), transport, "v0"))
    theirs = bench.ptp4l(b, "b1", "b2", transport=transport, **their_options(Quality(clock_identity=MIDDLE)))
    end = bench.site(c, our_site(Quality(clock_identity=LOW), transport, "v1"))
    grandmaster.ready()
    end.ready()
    agree(
        bench,
        {
            "gm": (grandmaster, View(HIGH, 0, ["MASTER"])),
            "theirs": (theirs, View(HIGH, 1, ["SLAVE", "MASTER"], HIGH)),
            "end": (end, View(HIGH, 2, ["SLAVE"], MIDDLE)),
        },
    )


def triangle(our_identity: str, their_identity: str, transport: str, bench: Bench) -> None:
    """A grandmaster and two boundary clocks in a ring: between these, one serves and the other is silent."""
    gm, a, b = bench.namespace("gm"), bench.namespace("ours"), bench.namespace("theirs")
    bench.wire(gm, "g1", a, "a1")
    bench.wire(gm, "g2", b, "b1")
    bench.wire(a, "a2", b, "b2")
    bench.capture(a, "a1")
    bench.capture(a, "a2")
    top = "020000fffe00000f"
    grandmaster = bench.ptp4l(
        gm, "g1", "g2", transport=transport, **their_options(Quality(priority1=100, clock_identity=top))
    )
    ours = bench.site(a, our_site(Quality(clock_identity=our_identity), transport, "a1", "a2"))
    theirs = bench.ptp4l(b, "b1", "b2", transport=transport, **their_options(Quality(clock_identity=their_identity)))
    ours.ready()
    we_serve = our_identity < their_identity
    agree(
        bench,
        {
            "gm": (grandmaster, View(top, 0, ["MASTER", "MASTER"])),
            "ours": (ours, View(top, 1, ["SLAVE", "MASTER" if we_serve else "PASSIVE"], top)),
            "theirs": (theirs, View(top, 1, ["SLAVE", "PASSIVE" if we_serve else "MASTER"], top)),
        },
    )


def shorter_path(transport: str, bench: Bench) -> None:
    """Our second port hears the grandmaster itself, our first hears it two steps away: the short way wins."""
    gm, far, farther, a = (bench.namespace(name) for name in ("gm", "far", "farther", "ours"))
    bench.wire(gm, "g1", far, "f1")
    bench.wire(far, "f2", farther, "h1")
    bench.wire(farther, "h2", a, "a1")
    bench.wire(gm, "g2", a, "a2")
    bench.capture(a, "a1")
    bench.capture(a, "a2")
    top = "020000fffe00000f"
    grandmaster = bench.ptp4l(
        gm, "g1", "g2", transport=transport, **their_options(Quality(priority1=100, clock_identity=top))
    )
    near = bench.ptp4l(far, "f1", "f2", transport=transport, **their_options(Quality(clock_identity=LOW)))
    remote = bench.ptp4l(farther, "h1", "h2", transport=transport, **their_options(Quality(clock_identity=MIDDLE)))
    ours = bench.site(a, our_site(Quality(clock_identity=HIGH), transport, "a1", "a2"))
    ours.ready()
    agree(
        bench,
        {
            "gm": (grandmaster, View(top, 0, ["MASTER", "MASTER"])),
            "far": (near, View(top, 1, ["SLAVE", "MASTER"], top)),
            "ours": (ours, View(top, 1, ["MASTER", "SLAVE"], top)),
            # of its two sides, both one step from the grandmaster, the lower identity is LOW's
            "farther": (remote, View(top, 2, ["SLAVE", "PASSIVE"], LOW)),
        },
    )


TOPOLOGIES = {
    "two links, we serve": two_links_we_serve,
    "two links, they serve": two_links_they_serve,
    "chain through us": chain_through_us,
    "chain through them": chain_through_them,
    "triangle, our side serves": partial(triangle, LOW, HIGH),
    "triangle, their side serves": partial(triangle, HIGH, LOW),
    "shorter path": shorter_path,
}


def transport_of(case: str) -> str:
    """Half of the cases over each transport: what is elected does not depend on it."""
    names = [*PAIRS, *TOPOLOGIES]
    return ("udp4", "l2")[names.index(case) % 2 ^ (names.index(case) // 2) % 2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("bmca")


@pytest.fixture(scope="module")
def runs(folder: Any) -> dict[str, Outcome]:
    need_peers()
    scenarios: dict[str, Any] = {name: partial(run_pair, case, transport_of(name)) for name, case in PAIRS.items()}
    scenarios |= {name: partial(topology, transport_of(name)) for name, topology in TOPOLOGIES.items()}
    return together(scenarios, folder)


@pytest.mark.parametrize("case", [*PAIRS, *TOPOLOGIES])
def test_the_same_grandmaster_and_fitting_states(runs: dict[str, Outcome], case: str) -> None:
    runs[case].get()


def test_every_frame_we_sent_is_well_formed(runs: dict[str, Outcome], folder: Any) -> None:
    seen = judge_frames(runs.values(), folder)
    assert seen["ANNOUNCE"]
