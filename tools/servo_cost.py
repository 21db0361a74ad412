"""What servos cost: processor time per sync exchange, and the share of a core at 128 exchanges a second on four ports.

A client with four domains on four clocks is run in the simulator; everything its engine and its servos were told is
noted, and then told again to new ones, with nothing else in between. Timed is that second run, so that neither the
simulator nor the noting is in it; sockets and the kernel are not in it either (``python -m tools.bench`` has those).

One exchange is a Sync with its Follow_Up and a Delay_Req with its Delay_Resp, and the commands that follow from them.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from ptpstack.clocks.oscillator import OscillatorModel
from ptpstack.clocks.simulated import SimulatedClock
from ptpstack.engine.engine import Engine
from ptpstack.engine.plan import ClockPlan, EnginePlan, InstancePlan
from ptpstack.engine.trace import METHODS
from ptpstack.engine.wiring import SERVOS
from ptpstack.protocol.options import InstanceOptions, PortOptions
from ptpstack.servo.base import Servo, ServoState
from ptpstack.servo.options import ServoOptions
from ptpstack.sim.build import identity, make_node
from ptpstack.sim.delays import PathDelay
from ptpstack.sim.network import Segment, SimNode
from ptpstack.sim.scene import CLASS_LOCKED, GOOD_VARIANCE
from ptpstack.sim.world import World
from ptpstack.wire.types import ClockQuality

PORTS = 4
#: the first seconds, and the first exchanges, are elections and start-ups: they are told again, but not timed
SETTLING_S, SETTLING_EXCHANGES = 20.0, 60
MOST_PERCENT = 10.0
MAX_PPB = 1e6
EPILOG = f"""\
Exit status 1 when the default servo takes {MOST_PERCENT:g} % of a core or more.

examples:
  python -m tools.servo_cost                        every servo, 128 exchanges a second on each of {PORTS} ports
  python -m tools.servo_cost --servo estimator --rounds 9
  python -m tools.servo_cost --log-rate 0 --seconds 600    one exchange a second
  python -m tools.servo_cost --json
"""

#: a method and what it was given
Call = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Cost:
    servo: str
    ports: int
    #: exchanges per second on each port
    rate: float
    exchanges: int
    #: processor time of the servo alone per exchange, us; best and median of the rounds
    servo_us: float
    servo_median_us: float
    #: of the whole engine (protocol, servo, commands) per exchange, us
    engine_us: float
    engine_median_us: float
    #: share of a core that the whole engine takes at that rate on all ports, from its best round
    percent_of_core: float
    rounds: int


class Noted:
    """Stands for an engine or a servo, and notes what it is told; ``calls`` can be told to another."""

    def __init__(self, told: Any, methods: Sequence[str]) -> None:
        self._told = told
        self._methods = frozenset(methods)
        self.calls: list[Call] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._told, name)
        if name not in self._methods:
            return found

        def note(*arguments: Any, **named: Any) -> Any:
            assert not named or name == "take_over"
            self.calls.append((name, (*arguments, named) if named else arguments))
            return found(*arguments, **named)

        return note


#: what changes a servo's state
SERVO_METHODS = (
    *("sync", "delay", "reading", "timer", "commanded", "new_master", "master_uncertain", "set_sync_interval", "lost"),
    *("take_over", "watch_only", "step_refused", "clock_stepped"),
)


def client(world: World, servo: ServoOptions, log_rate: int) -> SimNode:
    """A client of four domains, each on a clock and a channel of its own, and a grandmaster for each."""
    quality = ClockQuality(CLASS_LOCKED, 0x21, GOOD_VARIANCE)
    rates: dict[str, Any] = {"log_sync_interval": -log_rate, "log_min_delay_req_interval": -log_rate}
    numbers = range(1, PORTS + 1)
    clocks = {
        f"clock{n}": SimulatedClock(
            world.base, OscillatorModel.preset("tcxo"), seed=n, name=f"clock{n}", initial_error_ns=1e6, grain_ns=1
        )
        for n in numbers
    }
    instances = tuple(
        InstancePlan(
            InstanceOptions(
                name=f"domain{n}",
                clock_identity=identity(100 + n),
                ports=(PortOptions(channel=f"p{n}/sim", **rates),),
                clock=f"clock{n}",
                domain=n,
                client_only=True,
            ),
            servo,
        )
        for n in numbers
    )
    plan = EnginePlan(
        instances=instances, clocks=tuple(ClockPlan(name, max_frequency_ppb=MAX_PPB) for name in clocks), seed=1
    )
    node = SimNode(world, "client", Engine(plan), clocks)
    for n in numbers:
        master = make_node(
            world,
            f"gm{n}",
            n,
            domain=n,
            quality=quality,
            port_options={**rates, "listen_first": False},
        )
        wire = Segment(world, f"wire{n}")
        for pair in ((master.name, node.name), (node.name, master.name)):
            wire.paths[pair] = PathDelay(1_000, jitter_ns=20, seed=str(pair))
        wire.attach(master, "p1/sim")
        wire.attach(node, f"p{n}/sim")
        master.start(0.0)
    node.start(1.0)
    return node


def _tell(told: Any, calls: Sequence[Call]) -> None:
    for name, arguments in calls:
        if arguments and isinstance(arguments[-1], dict) and name == "take_over":
            told.take_over(*arguments[:-1], **arguments[-1])
        else:
            getattr(told, name)(*arguments)


def _tell_engine(engine: Engine, calls: Sequence[Call]) -> None:
    # as a driver does it: after each input it asks when to come again
    ask = engine.next_deadline
    for name, arguments in calls:
        getattr(engine, name)(*arguments)
        ask()


def _timed(tell: Callable[[Any, Sequence[Call]], None], told: Any, calls: Sequence[Call]) -> float:
    """Processor time, s."""
    gc.collect()
    began = time.process_time()
    tell(told, calls)
    return time.process_time() - began


def measure(name: str, log_rate: int, seconds: float, rounds: int) -> Cost:
    """RuntimeError when the run that is told again does not lead to locked servos."""
    options = ServoOptions(type=name)
    world = World()
    node = client(world, options, log_rate)
    plan = node.engine.plan
    servos: dict[str, Noted] = {}
    for edge in node.engine.edges.values():
        servos[edge.name] = Noted(edge.servo, SERVO_METHODS)
        edge.servo = cast(Servo, servos[edge.name])
    noted = Noted(node.engine, METHODS)
    node.engine = cast(Engine, noted)
    settling_s = SETTLING_S + SETTLING_EXCHANGES / 2.0**log_rate
    world.run(settling_s)
    engine_from = len(noted.calls)
    servo_from = {path: len(servo.calls) for path, servo in servos.items()}
    world.run(settling_s + seconds)
    exchanges = sum(
        sum(1 for call, _ in servo.calls[servo_from[path] :] if call == "delay") for path, servo in servos.items()
    )
    servo_s, engine_s = [], []
    for _ in range(rounds):
        engine = Engine(plan)
        _tell_engine(engine, noted.calls[:engine_from])
        engine_s.append(_timed(_tell_engine, engine, noted.calls[engine_from:]))
        states = [edge.servo.state for edge in engine.edges.values()]
        if any(state is not ServoState.LOCKED for state in states):
            raise RuntimeError(f"{name}: told again, the servos end as {', '.join(s.value for s in states)}")
        total = 0.0
        for path, was in servos.items():
            fresh = SERVOS[name](options, max_frequency_ppb=MAX_PPB, steering=False)
            start = servo_from[path]
            _tell(fresh, was.calls[:start])
            total += _timed(_tell, fresh, was.calls[start:])
            if fresh.state is not ServoState.LOCKED:
                raise RuntimeError(f"{name}: told again, the servo ends as {fresh.state.value}")
        servo_s.append(total)
    return Cost(
        name,
        PORTS,
        2.0**log_rate,
        exchanges,
        min(servo_s) / exchanges * 1e6,
        sorted(servo_s)[rounds // 2] / exchanges * 1e6,
        min(engine_s) / exchanges * 1e6,
        sorted(engine_s)[rounds // 2] / exchanges * 1e6,
        min(engine_s) / seconds * 100.0,
        rounds,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.servo_cost",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--servo", choices=[*SERVOS, "all"], default="all", help="default: all")
    parser.add_argument(
        "--log-rate", type=int, default=7, help="exchanges a second, as a power of two (default 7: 128)"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="simulated time that is timed (default 20)")
    parser.add_argument("--rounds", type=int, default=5, help="best and median are told (default 5)")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.seconds <= 0 or not -3 <= options.log_rate <= 7:
        parser.error("--rounds is at least 1, --seconds more than 0, --log-rate from -3 to 7")
    names = list(SERVOS) if options.servo == "all" else [options.servo]
    costs = [measure(name, options.log_rate, options.seconds, options.rounds) for name in names]
    if options.json:
        print(json.dumps([asdict(cost) for cost in costs], indent=2))
    else:
        print(
            f"{'servo':12} {'servo alone, us':>20} {'whole engine, us':>20}   at {costs[0].rate:g}/s on {PORTS} ports"
        )
        for c in costs:
            alone = f"{c.servo_us:.1f} ({c.servo_median_us:.1f})"
            whole = f"{c.engine_us:.1f} ({c.engine_median_us:.1f})"
            print(f"{c.servo:12} {alone:>20} {whole:>20}   {c.percent_of_core:.2f} % of a core")
        print(f"\nprocessor time per exchange, best (median) of {options.rounds} rounds")
    default = ServoOptions().type
    return 1 if any(c.servo == default and c.percent_of_core >= MOST_PERCENT for c in costs) else 0


if __name__ == "__main__":
    sys.exit(main())
