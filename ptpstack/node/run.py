"""``run_site``: a site from first check to clean end."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from ptpstack import __version__
from ptpstack.config.difference import Change, settings_of, who_comes, who_goes
from ptpstack.config.model import Site
from ptpstack.engine.effects import Event
from ptpstack.engine.engine import Engine
from ptpstack.engine.explain import explain
from ptpstack.engine.performance import performance
from ptpstack.engine.plan import InstancePlan
from ptpstack.engine.reference import ReferenceState
from ptpstack.engine.status import status
from ptpstack.engine.trace import RecordedEngine
from ptpstack.engine.trace_file import move_aside, open_for_writing
from ptpstack.net.links import LinkWatch
from ptpstack.node.assembly import Parts, assemble
from ptpstack.node.claims import Claims, names_of
from ptpstack.node.control import ControlError, ControlServer, ControlSocketError, event_record
from ptpstack.node.driftfile import DriftFile, path_for
from ptpstack.node.errors import AssemblyError
from ptpstack.node.journal import Journal
from ptpstack.node.keyring import KeyFileError, Keyring, keys_in_use
from ptpstack.node.live import LiveConfiguration
from ptpstack.node.live_node import LiveNode
from ptpstack.node.loop import Loop, settle_memory
from ptpstack.node.service import Notifier, PrivilegeError, check_user, drop_privileges, real_time_scheduling
from ptpstack.node.settingsfile import SettingsFile, settings_path
from ptpstack.protocol.management.table import READ_ONLY, READ_WRITE
from ptpstack.timebase.leap import LeapTable
from ptpstack.timebase.leapfile import LeapFileError

#: Commands of the control socket that change something.
WRITING = frozenset({"reference", "priority", "reload-keys", "apply", "confirm", "roll-back", "stop"})
_HOUSEKEEPING_NS = 1_000_000_000
_REFERENCE_STATES = tuple(state.value for state in ReferenceState)


class StartError(Exception):
    """The node cannot start: what, where, and what to do."""


def load_leap_table(path: str | None) -> LeapTable:
    if path is None:
        return LeapTable.find()
    try:
        return LeapTable.load(path)
    except LeapFileError as error:
        raise StartError(str(error)) from error


def _is_number(value: Any, low: int, high: int) -> bool:
    # JSON's true is an int to Python
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


class Runner:
    """A node with all that surrounds it: control socket, journal, notification, signals."""

    def __init__(self, site: Site, *, patient: bool = False, overrides: dict[str, Any] | None = None) -> None:
        self.live = LiveConfiguration(site, overrides or {}, self._objections, self._take_on, self._audit)
        self.journal = Journal(site.node.log_level)
        self.notifier = Notifier()
        leap = load_leap_table(site.node.leap_file)
        self.keyring = None if site.node.sa_file is None else Keyring(site)
        self.loop = Loop(site.node.io_loop)
        parts: Parts | None = None
        try:
            check_user(site.node.user)
            parts = assemble(site, leap, patient=patient)
            self.control = ControlServer(self.loop, site.node.control, self._commands(), WRITING)
            # the trace last: what fails before must not cost the trace of the run before
            self.node = self._node(parts)
            self.node.open_management(_management_paths(site))
        except BaseException:
            if hasattr(self, "control"):
                self.control.close()
            if parts is not None:
                parts.close()
            self.loop.close()
            raise
        self.claims = Claims(names_of(parts.plan.instances))
        self._say_what_is_used(parts, leap)
        self._warn_of_doubles()
        self._next_housekeeping = 0
        self._next_watchdog = self.loop.now_ns() + self.notifier.watchdog_ns

    @property
    def site(self) -> Site:
        return self.live.site

    def _node(self, parts: Parts) -> LiveNode:
        links, missing = LinkWatch.open(dict.fromkeys(name for c in parts.channels.values() for name in c.stack))
        engine: Engine | None = None
        try:
            if self.site.node.record:
                engine = self._recorded_engine(parts, self.site.node.record)
            options = self.site.node
            path = path_for(options.state_dir, options.control)
            drift = None if path is None else DriftFile(path, options.name, parts.owners)
            settings = None if path is None else SettingsFile(settings_path(path), options.name)
            node = LiveNode(
                parts,
                self.loop,
                engine=engine,
                links=links,
                links_missing=missing,
                drift_file=drift,
                keyring=self.keyring,
                settings_file=settings,
            )
        except BaseException:
            if links is not None:
                links.close()
            raise
        node.listeners.append(self._event)
        node.periodic += [self._periodic, self.live.periodic]
        return node

    def _recorded_engine(self, parts: Parts, path: str) -> Engine:
        try:
            kept = move_aside(path)
            if kept:
                parts.notes.append(f"{path} was there already: kept as {kept}")
            return RecordedEngine(parts.plan, open_for_writing(path))
        except OSError as error:
            raise StartError(f"--record {path}: {error.strerror or error}; give another file") from error

    def _say_what_is_used(self, parts: Parts, leap: LeapTable) -> None:
        log = self.journal.log
        log(6, f"ptpstack {__version__}, node {self.site.node.name}, pid {os.getpid()}, {self.loop.kind} loop")
        for note in parts.notes:
            log(6, note)
        for warning in parts.warnings:
            log(4, warning)
        state = leap.status(int(time.time()))
        log(6 if state.remaining_s > 0 else 4, state.message)
        if self.node.links_missing:
            log(4, self.node.links_missing)
        if not self.loop.precise:
            log(4, "no timerfd here: timers are up to a millisecond late")

    def _warn_of_doubles(self) -> None:
        for sentence in self.claims.refresh():
            self.journal.log(4, sentence)

    def run(self) -> int:
        self.loop.on_signal(self._signal)
        try:
            self.node.start()
            for text in (real_time_scheduling(self.site.node.scheduling_priority), self._drop()):
                if text:
                    self.journal.log(6, text)
            settle_memory()
            self.notifier.tell("READY=1", f"STATUS=serving control on {self.site.node.control}")
            self.loop.run()
        finally:
            self.notifier.tell("STOPPING=1")
            self.claims.close()
            self.control.close()
            self.node.close()
            self.loop.close()
        self.journal.log(6, "clean end")
        return 0

    def _drop(self) -> str:
        return drop_privileges(self.site.node.user, [self.control.path, *_management_paths(self.site).values()])

    def _signal(self, number: int) -> None:
        if number == signal.SIGHUP:
            self._hang_up()
            return
        self.journal.log(6, f"{signal.Signals(number).name}: ending")
        self.loop.stop()

    def _hang_up(self) -> None:
        try:
            self._reload_keys("SIGHUP")
        except KeyFileError as error:
            self.journal.log(3, f"SIGHUP: the keys stay as they were: {error}")
        except ControlError as error:
            self.journal.log(5, f"SIGHUP: {error}")

    def _reload_keys(self, by: str) -> None:
        """KeyFileError when the file will not do, ControlError when there is none."""
        if self.keyring is None:
            raise ControlError("this node has no sa_file, so there are no keys to read again")
        for note in self.keyring.load(self.site):
            self.journal.log(4, note)
        self.journal.log(5, f"{by}: {self.keyring.path} read again")
        self.node.use_keys(self.loop.now_ns())

    def _event(self, event: Event, now: int) -> None:
        self.journal.event(event, now)
        self.control.publish(event.kind, event_record(event, now, time.time_ns()))

    def _periodic(self, now: int) -> int:
        if now >= self._next_housekeeping:
            # systemd advises to pat the watchdog at half its time, and that may be less than a second
            self._next_housekeeping = now + min(_HOUSEKEEPING_NS, self.notifier.watchdog_ns or _HOUSEKEEPING_NS)
            self.node.watch_system_clock(now)
            self.control.housekeep()
            self._warn_of_doubles()
            if self.notifier.watchdog_ns and now >= self._next_watchdog:
                self._next_watchdog = now + self.notifier.watchdog_ns
                self.notifier.tell("WATCHDOG=1")
        return self._next_housekeeping

    # ---- another configuration ---------------------------------------------------------------------------------

    def _objections(self, site: Site) -> list[str]:
        return [] if self.keyring is None else self.keyring.missing(site)

    def _take_on(self, changes: list[Change], site: Site) -> None:
        self.journal.set_level(site.node.log_level)
        now = self.loop.now_ns()
        for name in who_goes(changes):
            self.node.remove_instance(name, {channel.name for channel in site.channels})
        order = [instance.options.name for instance in site.instances]
        for name in who_comes(changes):
            place = order.index(name)
            for warning in self.node.add_instance(site.instances[place], order[place + 1 :]):
                self.journal.log(4, warning)
        self.claims.change(names_of(InstancePlan(i.options) for i in self.node.engine.instances.values()))
        for instance, settings in settings_of(changes).items():
            self.node.perform(self.node.engine.configure(instance, settings, now), now)
        settle_memory()

    def _audit(self, severity: int, sentence: str, data: dict[str, Any]) -> None:
        self.journal.log(severity, sentence)
        record = event_record(Event("apply", "", 0, {"words": sentence, **data}), self.loop.now_ns(), time.time_ns())
        self.control.publish("apply", record)

    # ---- commands of the control socket -------------------------------------------------------------------------

    def _commands(self) -> dict[str, Any]:
        return {
            "status": self._status,
            "explain": self._explain,
            "performance": lambda request: {
                "instances": performance(self.node.engine, request.get("instance"), self.loop.now_ns())
            },
            "truth": lambda request: {"clocks": self.node.truth()},
            "reference": self._reference,
            "priority": self._priority,
            "keys": self._keys,
            "reload-keys": self._reload,
            "apply": partial(self._live, self.live.apply),
            "confirm": partial(self._live, self.live.confirm),
            "roll-back": partial(self._live, self.live.roll_back),
            "stop": lambda request: self.loop.stop(),
        }

    def _live(self, method: Callable[..., dict[str, Any]], request: dict[str, Any]) -> dict[str, Any]:
        try:
            return method(request, self.control.caller, self.loop.now_ns())
        finally:
            self.node.reschedule()

    def _status(self, request: dict[str, Any]) -> dict[str, Any]:
        now = self.loop.now_ns()
        node = self.node
        result = status(node.engine, now)
        roles = {s.options.name: s.role for s in self.site.instances}
        for instance in result["instances"]:
            instance["role"] = roles[instance["name"]]
        for clock in result["clocks"]:
            backend = node.clocks[clock["name"]]
            clock["kind"] = backend.kind
            clock["device"] = backend.name
        return {
            "node": self.site.node.name,
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": (now - node.started_ns) / 1e9,
            "io_loop": self.loop.kind,
            "netlink": node.links is not None,
            "netlink_missing": node.links_missing,
            "record": self.site.node.record,
            "record_problem": node.engine.trace_problem if isinstance(node.engine, RecordedEngine) else "",
            "apply": self.live.as_dict(now),
            "management": self._management(),
            "identity_conflicts": self.claims.problems(),
            "leap": self._leap(),
            **result,
            "channels": [
                {
                    "name": channel.name,
                    "stamping": channel.stamping,
                    "stamping_reason": channel.stamping_reason,
                    "problem": node.problem(channel.name),
                    "link_up": node.link_state.get(channel.interface),
                    "stack": list(channel.stack),
                    "member_changes": node.members.changes[channel.name],
                    "counters": channel.counters(),
                }
                for channel in node.channels.values()
            ],
        }

    def _management(self) -> dict[str, Any]:
        """The local management sockets, and what came that no instance took."""
        sockets = self.node.management
        return {
            "sockets": {} if sockets is None else sockets.paths,
            "counters": {} if sockets is None else dict(sockets.counters),
            "unrouted": dict(self.node.engine.management_desk.counters),
        }

    def _leap(self) -> dict[str, Any]:
        table = self.node.parts.plan.leap
        state = table.status(int(time.time()))
        return {"source": table.source, "state": state.state.value, "message": state.message}

    def _explain(self, request: dict[str, Any]) -> dict[str, Any]:
        port = request.get("port")
        instance = request.get("instance")
        if port is not None and (not isinstance(port, int) or isinstance(port, bool)):
            raise ControlError('"port" is a number, or absent for all ports')
        if instance is not None and not isinstance(instance, str):
            raise ControlError('"instance" is a name, or absent for all instances')
        result = explain(self.node.engine, self.loop.now_ns(), instance, port)
        for entry in result["instances"]:
            ports = self.node.engine.instances[entry["name"]].ports
            for row in entry["ports"]:
                channel = ports[row["number"] - 1].channel
                problem = self.node.problem(channel)
                if problem:
                    # the engine knows of a channel only that it is not usable
                    row["sentence"] = f"port {row['number']} ({channel}) is {row['state']}: {problem}"
                    row["would_change"] = "the interface as the port needs it: it is tried again every second"
        return result

    def _keys(self, request: dict[str, Any]) -> dict[str, Any]:
        return keys_in_use(self.keyring, self.node.engine)

    def _reload(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            self._reload_keys("ptpstack keys --reload")
        except KeyFileError as error:
            raise ControlError(f"the keys stay as they were: {error}") from error
        return self._keys(request)

    def _instances(self, request: dict[str, Any]) -> list[str]:
        """The instance a request names, or all."""
        instances = self.node.engine.instances
        name = request.get("instance")
        if name is None:
            return list(instances)
        if not isinstance(name, str) or name not in instances:
            raise ControlError(f"no instance {name!r}; there are {', '.join(instances)}")
        return [name]

    def _reference(self, request: dict[str, Any]) -> dict[str, Any]:
        engine = self.node.engine
        clocks = list(dict.fromkeys(engine.instances[name].options.clock for name in self._instances(request)))
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
        now = self.loop.now_ns()
        for clock in clocks:
            self.node.perform(engine.declare_reference(clock, state, clock_class, now), now)
        return {"references": [{"clock": c, "state": engine.references[c].state.value} for c in clocks]}

    def _priority(self, request: dict[str, Any]) -> dict[str, Any]:
        engine = self.node.engine
        names = self._instances(request)
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
        now = self.loop.now_ns()
        for each in names:
            self.node.perform(engine.set_priorities(each, now, values["priority1"], values["priority2"]), now)
        return {"instances": names, **values}


def _management_paths(site: Site) -> dict[str, str]:
    paths = {READ_WRITE: site.node.management, READ_ONLY: site.node.management_read_only}
    return {name: path for name, path in paths.items() if path is not None}


def run_site(site: Site, *, patient: bool = False, overrides: dict[str, Any] | None = None) -> int:
    """Run until a signal or the control socket ends it. Exit status: 0 clean end, 1 could not start.

    ``patient``: wait for interfaces that are not there yet, see ``assemble``. ``overrides``: what of [node] the command
    line has said, which another file does not change.
    """
    try:
        runner = Runner(site, patient=patient, overrides=overrides)
        return runner.run()
    except (StartError, KeyFileError, AssemblyError, ControlSocketError, PrivilegeError) as error:
        print(f"ptpstack: {error}", file=sys.stderr)
        return 1
