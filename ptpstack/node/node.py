"""A running node: channels and clocks on one side, the engine on the other, the loop between."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ptpstack.clocks.base import ClockError
from ptpstack.clocks.simulated import SimulatedClock
from ptpstack.clocks.system import SystemClock
from ptpstack.engine.discipline import Edge
from ptpstack.engine.driver import carry_out
from ptpstack.engine.effects import EngineEffect, Event, KeepSettings
from ptpstack.engine.engine import Engine
from ptpstack.engine.trace import RecordedEngine
from ptpstack.net.channel import Channel
from ptpstack.net.links import LinkWatch
from ptpstack.node.assembly import Parts
from ptpstack.node.channelwork import Channelwork
from ptpstack.node.driftfile import INTERVAL_NS as DRIFT_INTERVAL_NS
from ptpstack.node.driftfile import DriftFile
from ptpstack.node.keyring import Keyring
from ptpstack.node.loop import Loop
from ptpstack.node.management import ManagementSockets
from ptpstack.node.plans import system_quality
from ptpstack.node.settingsfile import SettingsFile
from ptpstack.protocol.effects import Send, SendLocal
from ptpstack.timebase.units import NS_PER_S

if TYPE_CHECKING:
    from ptpstack.config.model import InstanceSettings
    from ptpstack.node.feeds import Feeder

#: Frames taken from one socket in one turn of the loop: bounds how long timers and transmit stamps wait for input.
BATCH = 64
#: Full batches thrown away per socket after a step: a flood must not hold the loop there.
_STALE_BATCHES = 64
#: A system clock's accuracy that gets better is announced after this time; one that gets worse at once. The kernel's
#: maximum error rises between two corrections and falls with each.
_BETTER_AFTER_NS = 64 * NS_PER_S

Listener = Callable[[Event, int], None]


class Node(Channelwork):
    """Owns the parts. ``start`` once, then the loop drives it; ``close`` releases everything."""

    def __init__(
        self,
        parts: Parts,
        loop: Loop,
        *,
        engine: Engine | None = None,
        links: LinkWatch | None = None,
        links_missing: str = "",
        drift_file: DriftFile | None = None,
        keyring: Keyring | None = None,
        settings_file: SettingsFile | None = None,
    ) -> None:
        super().__init__(parts, loop, links)
        self.keyring = keyring
        self.drift_file = drift_file
        self.settings_file = settings_file
        self._drift_due_ns: int | None = None
        self.engine = engine if engine is not None else Engine(parts.plan)
        self.links_missing = links_missing
        self.listeners: list[Listener] = []
        self.started_ns = 0
        #: called each time round with the present time; returns its next deadline
        self.periodic: list[Callable[[int], int | None]] = [
            self.retry_absent,
            self.retry_clocks,
            self.poll_pulses,
            self._keep_drift,
        ]
        #: clock -> steps so far
        self._steps: Counter[str] = Counter()
        self._accuracy_ns = 0
        self.management: ManagementSockets | None = None
        #: who is given what is measured, by name
        self.feeders: dict[str, Feeder] = {}

    def open_feeds(self, settings: InstanceSettings) -> None:
        """Give what an instance measures to others. AssemblyError when that cannot be."""
        name = settings.options.name
        self.add_feeder(name, lambda edge: edge.instance == name, settings.feed_shm, settings.feed_sock)

    def add_feeder(self, name: str, chosen: Callable[[Edge], bool], shm: int | None, sock: str | None) -> None:
        if shm is None and sock is None:
            return
        # most nodes feed nobody
        from ptpstack.node.feeds import Feeder, open_feeds

        feeder = self.feeders[name] = Feeder(self.engine, self.clocks, chosen, open_feeds(shm, sock))
        self.engine.steering.watchers.append(feeder.measured)

    def close_feeds(self, name: str) -> None:
        feeder = self.feeders.pop(name, None)
        if feeder is not None:
            self.engine.steering.watchers.remove(feeder.measured)
            feeder.close()

    def open_management(self, paths: Mapping[str, str]) -> None:
        """The local management sockets, by name. AssemblyError when one cannot be had."""
        if paths:
            for instance in self.engine.instances.values():
                instance.management.prepare()
            self.management = ManagementSockets(self.loop, dict(paths), self._managed)
            self.periodic.append(self.management.retry)

    # ---- life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        now = self.loop.now_ns()
        self.started_ns = now
        for channel in self.channels.values():
            self.watch(channel)
        if self.links is not None:
            self.loop.add_reader(self.links.fileno(), self._links_ready)
        self.loop.on_timer(self._timer)
        frequencies = {}
        for name, clock in self.clocks.items():
            with contextlib.suppress(ClockError):
                frequencies[name] = clock.frequency_ppb()
        self.use_keys(now)
        self.perform(self.engine.start(now, frequencies), now)
        for channel in self.channels.values():
            self.tell_facts(channel, now)
        self._take_up_drift(now)
        self._take_up_settings(now)
        for name, sentence in self.start_pulses(list(self.engine.on_references.pulses)):
            self.event(Event("pulses", "", 0, {"clock": name, "used": False, "reason": sentence}), now)
        self.start_channels(now)
        self._set_deadline()

    def close(self) -> None:
        now = self.loop.now_ns()
        if self._drift_due_ns is not None:
            self._write_drift(now, sync=True)
        for channel in self.channels.values():
            self.unwatch(channel)
            channel.close()
        for name in list(self.feeders):
            self.close_feeds(name)
        if self.management is not None:
            self.management.close()
        if self.links is not None:
            self.loop.remove_reader(self.links.fileno())
            self.links.close()
        for clock in self.clocks.values():
            clock.close()
        if isinstance(self.engine, RecordedEngine):
            self.engine.close_trace(now)

    def watch(self, channel: Channel) -> None:
        if channel.stamp_fileno() < 0:
            return  # absent, or inside a transparent clock
        for fd in channel.receive_filenos():
            self.loop.add_reader(fd, self._reader(channel))
        self.loop.add_error_reader(channel.stamp_fileno(), lambda fd: self._stamps_ready(channel))

    def _reader(self, channel: Channel) -> Callable[[int], None]:
        """What takes the frames of one socket. Names are looked up here, once, and not for each frame."""
        clock = self.parts.clock_of_channel[channel.name]
        stamp_sns = self.clocks[clock].stamp_sns
        steps = self._steps
        name = channel.name
        receive = channel.receive
        answer_for = self.engine.plain_answers(name).get
        #: how many frames to ask for. To find that nothing is left costs as much as a frame: ask for one where they
        #: come singly, and for more, up to the limit of a turn, while there are more
        batch = 1

        def readable(fd: int) -> None:
            nonlocal batch
            frames = receive(fd, batch)
            batch = max(1, len(frames)) if channel.drained else min(2 * batch, BATCH)
            now = self.loop.now_ns()
            engine_receive = self.engine.receive
            others = False
            answers: list[bytes] = []
            before = steps[clock]
            for octets, stamp, source, event in frames:
                if steps[clock] != before:
                    break  # a frame of this batch led to a step: the rest was stamped before it
                ingress = stamp_sns(stamp) if event and stamp is not None else None
                # one answer to one request: what a grandmaster does all day
                answerer = answer_for(octets[:6])
                answer = None if answerer is None else answerer(octets, ingress, source)
                if answer is None:
                    others = True
                    effects = engine_receive(name, octets, ingress, source, now)
                    if effects:
                        carry_out(self.engine, effects, self, now)
                elif answer[1] is None:
                    answers.append(answer[0])
                else:
                    channel.send_general(*answer)
            if answers:
                channel.send_general_all(answers)
            if others:
                self._set_deadline()

        return readable

    def unwatch(self, channel: Channel) -> None:
        with contextlib.suppress(OSError):  # closed already
            for fd in [*channel.receive_filenos(), channel.stamp_fileno()]:
                self.loop.remove_reader(fd)

    # ---- what the loop calls ----------------------------------------------------------------------------------

    def _stamps_ready(self, channel: Channel) -> None:
        self.collect_stamps(channel, self.loop.now_ns())
        self._set_deadline()

    def collect_stamps(self, channel: Channel, now: int, *, until: int | None = None) -> None:
        clock = self.clocks[self.parts.clock_of_channel[channel.name]]
        for token, stamp, _missing in channel.transmit_stamps(now if until is None else until):
            egress = None if stamp is None else clock.stamp_sns(stamp)
            self.perform(self.engine.transmitted(token, egress, now), now)

    def _timer(self) -> None:
        now = self.loop.now_ns()
        for channel in list(self.channels.values()):
            due = channel.next_stamp_deadline_ns()
            if due is not None and due <= now:
                self.collect_stamps(channel, now)
        deadline = self.engine.next_deadline()
        if deadline is not None and deadline <= now:
            self.perform(self.engine.timer(now), now)
        self._set_deadline()

    def _set_deadline(self) -> None:
        now = self.loop.now_ns()
        deadline: int | None = None
        # first, because what they do may move the deadlines of the others
        for periodic in self.periodic:
            due = periodic(now)
            if due is not None and (deadline is None or due < deadline):
                deadline = due
        due = self.engine.next_deadline()
        if due is not None and (deadline is None or due < deadline):
            deadline = due
        for channel in self.channels.values():
            due = channel.next_stamp_deadline_ns()
            if due is not None and (deadline is None or due < deadline):
                deadline = due
        self.loop.set_deadline(deadline)

    def _links_ready(self, fd: int) -> None:
        assert self.links is not None
        now = self.loop.now_ns()
        for event in self.links.read():
            self.link_changed(event, now)
        self._set_deadline()

    def _managed(self, socket: str, octets: bytes, address: str) -> None:
        """A datagram has come by a local management socket."""
        now = self.loop.now_ns()
        self.perform(self.engine.management(socket, octets, address, now), now)
        self._set_deadline()

    # ---- hands (engine.driver.Hands) --------------------------------------------------------------------------

    def perform(self, effects: list[EngineEffect], now: int) -> None:
        if effects:
            carry_out(self.engine, effects, self, now)

    def send(self, send: Send, now: int) -> None:
        channel = self.channels[send.channel]
        if send.token is None:
            channel.send_general(send.octets, send.destination)
        else:
            channel.send_event(send.octets, send.destination, send.token, now)

    def send_local(self, send: SendLocal) -> None:
        if self.management is not None:
            self.management.send(send.socket, send.octets, send.address)

    def step(self, clock: str, delta_sns: int) -> None:
        super().step(clock, delta_sns)
        # what waits in the sockets was stamped before the step: half an exchange of another time
        self._steps[clock] += 1
        for channel in self.channels.values():
            if self.parts.clock_of_channel[channel.name] == clock:
                for fd in channel.receive_filenos():
                    for _ in range(_STALE_BATCHES):
                        if not channel.receive(fd, BATCH):
                            break

    def pulse(self, clock: str, channel: int, clock_sns: int) -> None:
        now = self.loop.now_ns()
        self.perform(self.engine.pulse(clock, channel, clock_sns, now), now)
        self._set_deadline()

    def event(self, event: Event, now: int) -> None:
        for listener in self.listeners:
            listener(event, now)

    def renewed(self, clock: str, frequency_ppb: float, now: int, another: bool = False) -> None:
        self.perform(self.engine.renewed(clock, frequency_ppb, now, another), now)

    def keep_settings(self, settings: KeepSettings, now: int) -> None:
        problem = "no state_dir" if self.settings_file is None else self.settings_file.keep(*settings)
        if problem:
            self.event(Event("settings", settings.instance, 0, {"reason": problem}), now)

    def _take_up_settings(self, now: int) -> None:
        """What management has set in an earlier life."""
        if self.settings_file is None:
            return
        kept, problem = self.settings_file.read()
        for name, entries in kept.items():
            try:
                self.perform(self.engine.restore(name, entries, now), now)
            except (KeyError, TypeError, ValueError) as error:
                problem = f"{self.settings_file.path}: settings of instance {name!s:.40} are not used: {error!r}"
        if problem:
            self.event(Event("settings", "", 0, {"reason": problem}), now)

    # ---- the drift file ---------------------------------------------------------------------------------------

    def _take_up_drift(self, now: int) -> None:
        if self.drift_file is None:
            return
        kept, notes = self.drift_file.read()
        for note in notes:
            self.event(Event("drift-file", "", 0, {"clock": "", "reason": note}), now)
        if kept:
            self.perform(self.engine.resume(kept, now), now)
        self._drift_due_ns = now + DRIFT_INTERVAL_NS

    def _keep_drift(self, now: int) -> int | None:
        if self._drift_due_ns is not None and now >= self._drift_due_ns:
            self._drift_due_ns = now + DRIFT_INTERVAL_NS
            self._write_drift(now)
        return self._drift_due_ns

    def _write_drift(self, now: int, *, sync: bool = False) -> None:
        assert self.drift_file is not None
        before = self.drift_file.problem
        problem = self.drift_file.write(self.engine.keep(now), sync=sync)
        if problem and problem != before:
            self.event(Event("drift-file", "", 0, {"clock": "", "reason": problem}), now)

    def use_keys(self, now: int) -> None:
        """Hand the engine the security associations as they are now."""
        if self.keyring is not None:
            self.engine.use_mac(self.keyring.store)
            self.perform(self.engine.secure(self.keyring.as_input(), now), now)

    # ---- operations -------------------------------------------------------------------------------------------

    def watch_system_clock(self, now: int) -> None:
        """A grandmaster on the system clock says of it what the kernel says."""
        for name, reference in self.engine.references.items():
            clock = self.clocks[name]
            if isinstance(clock, SystemClock) and reference.plan.type == "declared" and not reference.plan.primary:
                synchronised, accuracy = system_quality(clock)
                state = "locked" if synchronised else "free-running"
                better_due = now - self._accuracy_ns >= _BETTER_AFTER_NS and accuracy < reference.accuracy
                changed = state != reference.state.value or (
                    synchronised and (accuracy > reference.accuracy or better_due)
                )
                if changed and reference.forced_class is None:
                    self._accuracy_ns = now
                    self.perform(self.engine.declare_reference(name, state, None, now, accuracy), now)

    def truth(self) -> list[dict[str, Any]]:
        """What simulated clocks really show: exact, because all of them share one base."""
        rows: list[dict[str, Any]] = []
        for name, clock in self.clocks.items():
            row: dict[str, Any] = {"name": name, "kind": clock.kind}
            if isinstance(clock, SimulatedClock):
                cross = clock.cross_reading(1)
                row |= {
                    "base_ns": cross.realtime_ns,
                    "clock_sns": cross.clock_sns,
                    "error_ns": clock.error_sns(cross.realtime_ns) / 65536,
                }
            rows.append(row)
        return rows
