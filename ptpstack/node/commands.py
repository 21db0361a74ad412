"""What the control socket is asked for: a function each, of runner and request; ControlError says what is wrong.

Requests are rare, and most nodes are never asked: what only an answer needs is loaded with the first one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ptpstack import __version__
from ptpstack.engine.reference import ReferenceState
from ptpstack.engine.status import status
from ptpstack.engine.trace import RecordedEngine
from ptpstack.node.control import ControlError
from ptpstack.node.keyring import KeyFileError, keys_in_use

if TYPE_CHECKING:
    from ptpstack.node.run import Runner

#: Those that change something.
WRITING = frozenset({"reference", "priority", "reload-keys", "apply", "confirm", "roll-back", "stop"})
_REFERENCE_STATES = tuple(state.value for state in ReferenceState)


def commands_of(runner: Runner) -> dict[str, Callable[[dict[str, Any]], Any]]:
    live = runner.live
    return {
        "status": partial(_status, runner),
        "explain": partial(_explain, runner),
        "performance": partial(_performance, runner),
        "truth": lambda request: {"clocks": runner.node.truth()},
        "reference": partial(_reference, runner),
        "priority": partial(_priority, runner),
        "keys": partial(_keys, runner),
        "reload-keys": partial(_reload, runner),
        "apply": partial(_live, runner, live.apply),
        "confirm": partial(_live, runner, live.confirm),
        "roll-back": partial(_live, runner, live.roll_back),
        "stop": lambda request: runner.loop.stop(),
    }


def _is_number(value: Any, low: int, high: int) -> bool:
    # JSON's true is an int to Python
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _performance(runner: Runner, request: dict[str, Any]) -> dict[str, Any]:
    from ptpstack.engine.performance import performance

    return {"instances": performance(runner.node.engine, request.get("instance"), runner.loop.now_ns())}


def _live(runner: Runner, method: Callable[..., dict[str, Any]], request: dict[str, Any]) -> dict[str, Any]:
    try:
        return method(request, runner.control.caller, runner.loop.now_ns())
    finally:
        runner.node.reschedule()


def _status(runner: Runner, request: dict[str, Any]) -> dict[str, Any]:
    now = runner.loop.now_ns()
    node = runner.node
    result = status(node.engine, now)
    roles = {s.options.name: s.role for s in runner.site.instances}
    for instance in result["instances"]:
        instance["role"] = roles[instance["name"]]
    for clock in result["clocks"]:
        backend = node.clocks[clock["name"]]
        clock["kind"] = backend.kind
        clock["device"] = backend.name
    return {
        "node": runner.site.node.name,
        "version": __version__,
        "pid": os.getpid(),
        "uptime_s": (now - node.started_ns) / 1e9,
        "io_loop": runner.loop.kind,
        "netlink": node.links is not None,
        "netlink_missing": node.links_missing,
        "record": runner.site.node.record,
        "record_problem": node.engine.trace_problem if isinstance(node.engine, RecordedEngine) else "",
        "apply": runner.live.as_dict(now),
        "management": _management(runner),
        "feeds": {name: feeder.counters() for name, feeder in node.feeders.items()},
        "identity_conflicts": runner.claims.problems(),
        "leap": _leap(runner),
        **result,
        "channels": [
            {
                "name": channel.name,
                "stamping": channel.stamping,
                "stamping_reason": channel.stamping_reason,
                "one_step": channel.one_step,
                "problem": node.problem(channel.name),
                "link_up": node.link_state.get(channel.interface),
                "stack": list(channel.stack),
                "member_changes": node.members.changes[channel.name],
                "counters": channel.counters(),
            }
            for channel in node.channels.values()
        ],
    }


def _management(runner: Runner) -> dict[str, Any]:
    """The local management sockets, and what came that no instance took."""
    sockets = runner.node.management
    return {
        "sockets": {} if sockets is None else sockets.paths,
        "counters": {} if sockets is None else dict(sockets.counters),
        "unrouted": dict(runner.node.engine.management_desk.counters),
    }


def _leap(runner: Runner) -> dict[str, Any]:
    table = runner.node.parts.plan.leap
    state = table.status(int(time.time()))
    return {"source": table.source, "state": state.state.value, "message": state.message}


def _explain(runner: Runner, request: dict[str, Any]) -> dict[str, Any]:
    port = request.get("port")
    instance = request.get("instance")
    if port is not None and (not isinstance(port, int) or isinstance(port, bool)):
        raise ControlError('"port" is a number, or absent for all ports')
    if instance is not None and not isinstance(instance, str):
        raise ControlError('"instance" is a name, or absent for all instances')
    from ptpstack.engine.explain import explain

    result = explain(runner.node.engine, runner.loop.now_ns(), instance, port)
    for entry in result["instances"]:
        ports = runner.node.engine.instances[entry["name"]].ports
        for row in entry["ports"]:
            channel = ports[row["number"] - 1].channel
            problem = runner.node.problem(channel)
            if problem:
                # the engine knows of a channel only that it is not usable
                row["sentence"] = f"port {row['number']} ({channel}) is {row['state']}: {problem}"
                row["would_change"] = "the interface as the port needs it: it is tried again every second"
    return result


def _keys(runner: Runner, request: dict[str, Any]) -> dict[str, Any]:
    return keys_in_use(runner.keyring, runner.node.engine)


def _reload(runner: Runner, request: dict[str, Any]) -> dict[str, Any]:
    try:
        runner.reload_keys("ptpstack keys --reload")
    except KeyFileError as error:
        raise ControlError(f"the keys stay as they were: {error}") from error
    return _keys(runner, request)


def _instances(runner: Runner, request: dict[str, Any]) -> list[str]:
    """The instance a request names, or all."""
    instances = runner.node.engine.instances
    name = request.get("instance")
    if name is None:
        return list(instances)
    if not isinstance(name, str) or name not in instances:
        raise ControlError(f"no instance {name!r}; there are {', '.join(instances)}")
    return [name]


def _reference(runner: Runner, request: dict[str, Any]) -> dict[str, Any]:
    engine = runner.node.engine
    clocks = list(dict.fromkeys(engine.instances[name].options.clock for name in _instances(runner, request)))
    clocks = [c for c in clocks if c in engine.references]
    if not clocks:
        raise ControlError("no clock of this node has a reference ([instance.reference] in its configuration)")
    # before the engine sees it, because what it is told is recorded
    state = request.get("state")
    if state not in _REFERENCE_STATES:
        raise ControlError(f'"state" is one of {", ".join(_REFERENCE_STATES)}, not {state!r}')
    clock_class = request.get("clock_class")
    if clock_class is not None and not _is_number(clock_class, 1, 254):
        raise ControlError('"clock_class" is 1 to 254, or absent')
    now = runner.loop.now_ns()
    for clock in clocks:
        runner.node.perform(engine.declare_reference(clock, state, clock_class, now), now)
    return {"references": [{"clock": c, "state": engine.references[c].state.value} for c in clocks]}


def _priority(runner: Runner, request: dict[str, Any]) -> dict[str, Any]:
    engine = runner.node.engine
    names = _instances(runner, request)
    clients = [n for n in names if engine.instances[n].options.client_only]
    if clients and (len(clients) == len(names) or "instance" in request):
        raise ControlError(
            f"{', '.join(clients)}: client_only, so it takes no part in elections and its priorities mean nothing"
        )
    names = [n for n in names if n not in clients]
    values = {}
    for key in ("priority1", "priority2"):
        value = request.get(key)
        if value is not None and not _is_number(value, 0, 255):
            raise ControlError(f'"{key}" is 0 to 255')
        values[key] = value
    if values == {"priority1": None, "priority2": None}:
        raise ControlError('give "priority1", "priority2" or both')
    now = runner.loop.now_ns()
    for each in names:
        runner.node.perform(engine.set_priorities(each, now, values["priority1"], values["priority2"]), now)
    return {"instances": names, **values}
