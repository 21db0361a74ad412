"""``run_site``: a site from first check to clean end."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from ptpstack import __version__
from ptpstack.config.model import Site
from ptpstack.engine.effects import Event
from ptpstack.engine.engine import Engine
from ptpstack.engine.plan import InstancePlan
from ptpstack.engine.trace import RecordedEngine
from ptpstack.engine.trace_file import move_aside, open_for_writing
from ptpstack.net.links import LinkWatch
from ptpstack.node.assembly import Parts, assemble
from ptpstack.node.claims import Claims, names_of
from ptpstack.node.commands import WRITING, commands_of
from ptpstack.node.control import ControlError, ControlServer, ControlSocketError, event_record
from ptpstack.node.driftfile import DriftFile, path_for
from ptpstack.node.errors import AssemblyError
from ptpstack.node.journal import Journal
from ptpstack.node.keyring import KeyFileError, Keyring
from ptpstack.node.live import LiveConfiguration
from ptpstack.node.live_node import LiveNode
from ptpstack.node.loop import Loop, settle_memory
from ptpstack.node.service import Notifier, PrivilegeError, check_user, drop_privileges, real_time_scheduling
from ptpstack.node.settingsfile import SettingsFile, settings_path
from ptpstack.protocol.management.table import READ_ONLY, READ_WRITE
from ptpstack.timebase.leap import LeapTable
from ptpstack.timebase.leapfile import LeapFileError

if TYPE_CHECKING:
    from ptpstack.config.difference import Change

_HOUSEKEEPING_NS = 1_000_000_000


class StartError(Exception):
    """The node cannot start: what, where, and what to do."""


def load_leap_table(path: str | None) -> LeapTable:
    if path is None:
        return LeapTable.find()
    try:
        return LeapTable.load(path)
    except LeapFileError as error:
        raise StartError(str(error)) from error


class Runner:
    """A node with all that surrounds it: control socket, journal, notification, signals."""

    def __init__(
        self,
        site: Site,
        *,
        patient: bool = False,
        overrides: dict[str, Any] | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.live = LiveConfiguration(site, overrides or {}, self._objections, self._take_on, self._audit)
        self.journal = Journal(site.node.log_level) if journal is None else journal
        self.notifier = Notifier()
        leap = load_leap_table(site.node.leap_file)
        self.keyring = None if site.node.sa_file is None else Keyring(site)
        self.loop = Loop(site.node.io_loop)
        parts: Parts | None = None
        try:
            check_user(site.node.user)
            parts = assemble(site, leap, patient=patient)
            self.control = ControlServer(self.loop, site.node.control, commands_of(self), WRITING)
            # the trace last: what fails before must not cost the trace of the run before
            self.node = self._node(parts)
            self.node.open_management(_management_paths(site))
            for settings in site.instances:
                self.node.open_feeds(settings)
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
            self.reload_keys("SIGHUP")
        except KeyFileError as error:
            self.journal.log(3, f"SIGHUP: the keys stay as they were: {error}")
        except ControlError as error:
            self.journal.log(5, f"SIGHUP: {error}")

    def reload_keys(self, by: str) -> None:
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
        for warning in self.node.take_on(changes, site):
            self.journal.log(4, warning)
        self.claims.change(names_of(InstancePlan(i.options) for i in self.node.engine.instances.values()))
        settle_memory()

    def _audit(self, severity: int, sentence: str, data: dict[str, Any]) -> None:
        self.journal.log(severity, sentence)
        record = event_record(Event("apply", "", 0, {"words": sentence, **data}), self.loop.now_ns(), time.time_ns())
        self.control.publish("apply", record)


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
