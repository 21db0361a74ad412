"""The ptp4l nodes of a lab in its recording. They speak by their logs only."""

from __future__ import annotations

from dataclasses import dataclass, field

from ptpstack.lab import ptp4l
from ptpstack.lab.chronicle import Chronicle
from ptpstack.lab.recording import InstanceRecording, InstanceSample, Measured, Port
from ptpstack.lab.worker import Worker


@dataclass(slots=True)
class _Said:
    grandmaster: str
    #: port number -> state
    ports: dict[int, str] = field(default_factory=dict)


class Ptp4lWatch:
    """Workers of other kinds are passed over."""

    def __init__(self, chronicle: Chronicle) -> None:
        self._chronicle = chronicle
        self._said: dict[str, _Said] = {}

    def read(self, worker: Worker) -> None:
        """What it has logged since the last time."""
        if worker.node.kind != "ptp4l":
            return
        node, now = self._chronicle.node(worker), max(0.0, self._chronicle.now())
        own = next((i for i, label in self._chronicle.recording.labels.items() if label == node.label), "")
        state = self._said.setdefault(node.label, _Said(own))
        for line in worker.new_log_lines():
            said = ptp4l.read_line(line, own)
            if isinstance(said, ptp4l.Measured):
                node.measured.append(Measured(now, said.offset_ns, said.path_delay_ns, said.servo))
            elif isinstance(said, ptp4l.PortChanged):
                state.ports[said.port] = said.state
            elif isinstance(said, ptp4l.MasterSelected):
                state.grandmaster = said.identity

    def sample(self, worker: Worker) -> None:
        """How it is now, by all that it has logged."""
        if worker.node.kind != "ptp4l" or self._chronicle.zero is None:
            return
        node, state = self._chronicle.node(worker), self._said[worker.node.label]
        links = self._chronicle.recording.topology.host(node.host).links
        name = links[0].interface if len(links) == 1 else ""
        ports = tuple(Port(number, name, port_state) for number, port_state in sorted(state.ports.items()))
        instance = node.instances.setdefault(
            "ptp4l", InstanceRecording("ptp4l", ptp4l.domain_of(worker.node.config), "", worker.node.role, "", "")
        )
        instance.samples.append(
            InstanceSample(self._chronicle.now(), state.grandmaster, "", None, ports, "free-running", None, None, None)
        )

    def forget(self, worker: Worker) -> None:
        """It has ended."""
        self._said.pop(worker.node.label, None)
