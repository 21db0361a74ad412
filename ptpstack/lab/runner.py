"""Runs a topology: one thread, one selector, lab time that starts when every node has answered.

``run_lab`` is the whole of it: sweep, network, nodes, look at them, carry out events, end everything, hand back what
was seen.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ptpstack.lab.chronicle import Chronicle, Observer, Silence
from ptpstack.lab.conversation import Conversation
from ptpstack.lab.errors import LabError
from ptpstack.lab.netns import Network
from ptpstack.lab.ptp4l_watch import Ptp4lWatch
from ptpstack.lab.recording import Executed, NodeRecording, Recording
from ptpstack.lab.rundir import RunDirectory, sweep
from ptpstack.lab.topology import LINK_ACTIONS, REFERENCE_ACTIONS, Event, Topology
from ptpstack.lab.worker import NODE_COMMAND, Worker

#: a node has this long from its start to its first answer
START_LIMIT_S = 20.0
#: an answer that takes longer than this is reported
ANSWER_LIMIT_S = 3.0
#: all nodes together have this long to end on SIGTERM
END_LIMIT_S = 4.0
#: a lab of a day must not fill the memory: longer labs are looked at less often
MOST_LOOKS = 50_000
#: exit statuses of a node that was told to end (SIGTERM caught, SIGTERM or SIGKILL not caught)
_ORDERLY = (0, -signal.SIGTERM, -signal.SIGKILL, 128 + signal.SIGTERM)


def run_lab(
    topology: Topology,
    *,
    observer: Observer | None = None,
    rate_hz: float = 5.0,
    node_command: Sequence[str] = NODE_COMMAND,
    base_directory: Path | None = None,
    keep_logs: Path | None = None,
) -> Recording:
    """Run it to the end (or Ctrl-C, SIGTERM, SIGHUP) and return what was seen; nothing of it is left afterwards.

    ``keep_logs`` is a directory that gets sites, configurations and logs of the nodes. LabError when the lab cannot be
    set up; what goes wrong later is an incident of the recording. Main thread only.
    """
    observer = observer or Silence()
    recording = Recording(topology)
    for swept in sweep([base_directory] if base_directory is not None else None):
        recording.notes.append(str(swept))
        observer.message(str(swept))
    run = RunDirectory.create(base_directory)
    try:
        with _signals() as asked_to_stop:
            _Runner(topology, run, recording, observer, rate_hz, node_command, asked_to_stop).run()
    finally:
        if keep_logs is not None:
            try:
                _keep(run, keep_logs)
            except OSError as error:
                # the recording is worth more than the logs
                recording.notes.append(f"not all logs could be kept in {keep_logs}: {error.strerror or error}")
                observer.message(recording.notes[-1])
        run.remove()
    return recording


def _keep(run: RunDirectory, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for path in run.path.iterdir():
        if path.suffix in (".log", ".toml", ".conf"):
            (target / path.name).write_bytes(path.read_bytes())


@contextlib.contextmanager
def _signals() -> Iterator[Callable[[], bool]]:
    """Ctrl-C, SIGTERM and SIGHUP ask the loop to end; it looks between waits, so the teardown is never cut short."""
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        asked = True

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [(number, signal.signal(number, ask)) for number in numbers]
    try:
        yield lambda: asked
    finally:
        for number, handler in before:
            signal.signal(number, handler)


class _Runner:
    def __init__(
        self,
        topology: Topology,
        run: RunDirectory,
        recording: Recording,
        observer: Observer,
        rate_hz: float,
        node_command: Sequence[str],
        asked_to_stop: Callable[[], bool],
    ) -> None:
        self._topology = topology
        self._run = run
        self._recording = recording
        self._chronicle = Chronicle(recording, observer)
        self._talk = Conversation(self._chronicle, asked_to_stop)
        self._ptp4l = Ptp4lWatch(self._chronicle)
        self._interval_s = max(1.0 / rate_hz, topology.duration_s / MOST_LOOKS)
        self._node_command = node_command
        self._asked_to_stop = asked_to_stop
        self._workers: dict[str, Worker] = {}
        self._network: Network

    # -- the course of a lab

    def run(self) -> None:
        began = time.monotonic()
        self._network = Network(self._topology, self._run)
        try:
            self._start_all()
            if self._await_first_answers(began):
                self._live()
        finally:
            self._recording.lasted_s = max(0.0, self._chronicle.now())
            self._end_all()
            self._network.close()
            self._talk.close()

    def _start_all(self) -> None:
        for node in self._topology.nodes:
            host = self._topology.host(node.host)
            worker = Worker(node, host, self._run, self._network, self._node_command, self._topology.directory)
            self._workers[node.label] = worker
            self._recording.nodes[node.label] = NodeRecording(node.label, node.host, node.kind, node.role)
            if host.links:
                identity = host.links[0].mac.hex()
                self._recording.labels[f"{identity[:6]}.fffe.{identity[6:]}"] = node.label
            worker.start()
        self._chronicle.message(f"{len(self._workers)} nodes started in namespaces of their own")

    def _await_first_answers(self, began: float) -> bool:
        """False when a node did not survive its own start: the lab would show nothing that it was made for."""
        limit = time.monotonic() + START_LIMIT_S
        while time.monotonic() < limit and not self._asked_to_stop():
            self._look()
            missing = [w for w in self._workers.values() if w.speaks_control and w.running and not w.answered]
            if not missing:
                break
            self._talk.wait(0.05)
            self._chronicle.update()
        self._chronicle.zero = time.monotonic()
        self._recording.started_in_s = self._chronicle.zero - began
        dead = [worker.node.label for worker in self._workers.values() if not worker.running]
        if dead:
            self._chronicle.message(f"ending the lab: {', '.join(dead)} did not start")
        return not dead

    def _live(self) -> None:
        # what was seen before time zero was only to know that everybody is there
        for node in self._recording.nodes.values():
            node.instances.clear()
            node.clocks.clear()
            node.measured.clear()
        pending = list(self._topology.events)
        look_at = 0.0
        duration = self._topology.duration_s
        while (now := self._chronicle.now()) < duration:
            if self._asked_to_stop():
                self._recording.interrupted = True
                self._chronicle.message("asked to stop: ending the lab")
                return
            while pending and pending[0].at_s <= now:
                self._execute(pending.pop(0))
            if now >= look_at:
                self._look()
                self._chronicle.update()
                # keep the rhythm; after a stall go on from now instead of catching up
                look_at = max(look_at + self._interval_s, now)
            next_event = pending[0].at_s if pending else duration
            self._talk.wait(min(look_at, next_event, duration) - self._chronicle.now())
        for event in pending:
            self._execute(event)

    def _end_all(self) -> None:
        for worker in self._workers.values():
            if worker.child is not None:
                worker.may_end = True
                worker.child.signal(signal.SIGTERM)
                if worker.paused:
                    worker.child.signal(signal.SIGCONT)
        limit = time.monotonic() + END_LIMIT_S
        for worker in self._workers.values():
            self._ptp4l.read(worker)
            node = self._recording.nodes[worker.node.label]
            was_running = worker.child is not None and worker.child.exit_status() is None
            status = worker.end(max(0.0, limit - time.monotonic()))
            node.log_tail = worker.log_tail()
            if status is None:
                continue
            node.exit_status = status
            if was_running and status == -signal.SIGKILL and not worker.paused:
                self._chronicle.incident(worker, f"did not end within {END_LIMIT_S:g} s of SIGTERM and was killed")
            elif status not in _ORDERLY:
                self._chronicle.incident(worker, f"ended with status {status} when it was told to end")

    # -- looking

    def _look(self) -> None:
        now = time.monotonic()
        for worker in self._workers.values():
            self._check_alive(worker)
            if worker.child is None or worker.paused:
                continue
            self._ptp4l.read(worker)
            self._ptp4l.sample(worker)
            if not worker.speaks_control:
                continue
            self._talk.look(worker)
            if worker.control is None:
                self._report_silence(worker, now - worker.silent_since_s, START_LIMIT_S)
            else:
                self._report_silence(worker, worker.control.oldest_s(now), ANSWER_LIMIT_S)

    def _report_silence(self, worker: Worker, silent_s: float, limit_s: float) -> None:
        if silent_s > limit_s and not worker.silence_reported:
            worker.silence_reported = True
            self._chronicle.incident(worker, f"has not answered on its control socket for {silent_s:.1f} s")

    # -- what happens to nodes

    def _check_alive(self, worker: Worker) -> None:
        status = worker.child.exit_status() if worker.child is not None else None
        if status is None:
            return
        self._ptp4l.read(worker)
        self._talk.forget(worker)
        self._ptp4l.forget(worker)
        worker.end(0.0)
        node = self._recording.nodes[worker.node.label]
        node.exit_status, node.down = status, True
        if worker.may_end:
            if status not in _ORDERLY:
                self._chronicle.incident(worker, f"ended with status {status} when it was told to end")
        else:
            how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
            self._chronicle.incident(worker, f"{how} although nobody had asked it to")

    def _execute(self, event: Event) -> None:
        worker = self._workers[event.node]
        failure = ""
        try:
            self._carry_out(event, worker)
        except (LabError, OSError) as error:
            failure = str(error)
            self._chronicle.incident(worker, f"event {event} failed: {error}")
        self._recording.executed.append(Executed(event, self._chronicle.now(), failure))
        self._chronicle.tell(f"{event}" + (f": {failure}" if failure else ""))

    def _carry_out(self, event: Event, worker: Worker) -> None:
        node = self._recording.nodes[event.node]
        if event.do in LINK_ACTIONS:
            self._network.set_link(worker.node.host, event.interface, up=event.do == "link-up")
        elif event.do in REFERENCE_ACTIONS:
            self._tell_reference(event, worker)
        elif event.do == "start":
            if worker.may_end and worker.child is not None:
                # told to go a moment ago: a process needs some milliseconds to die
                worker.child.reap(1.0)
            self._check_alive(worker)
            worker.start()
            node.down = False
        elif event.do == "pause":
            worker.signal(signal.SIGSTOP)
            worker.paused = node.down = True
        elif event.do == "resume":
            worker.signal(signal.SIGCONT)
            worker.paused = node.down = False
            # whatever was asked before the pause waits since then; the clock of its answer starts anew
            self._talk.drop(worker)
        else:
            worker.may_end = True
            worker.signal(signal.SIGKILL if event.do == "kill" else signal.SIGTERM)
            node.down = True

    def _tell_reference(self, event: Event, worker: Worker) -> None:
        if worker.control is None:
            raise LabError(f"{event.node} has no control connection")
        state = event.state or ("locked" if event.do == "restore" else "holdover")
        body = {"cmd": "reference", "instance": event.instance, "state": state, "clock_class": event.clock_class}
        self._talk.ask(worker, f"reference {state}", body)
