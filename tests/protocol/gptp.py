"""A bench of IEEE 802.1AS: neighbours that answer every Pdelay_Req at once, with stamps that say what the link is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ptpstack.protocol.effects import Effect, Send
from ptpstack.protocol.options import GptpOptions
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.messages import PdelayReq, Signaling
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.types import ALL_CLOCKS, ALL_PORTS, PortIdentity
from tests.protocol.bench import Bench, Peer

TURNAROUND_NS = 1_000
SDO = 0x100
OPTIONS: dict[str, Any] = {"bmca": "802.1AS", "sdo_id": SDO, "path_trace": True}


@dataclass
class Neighbor:
    """Who is at the other end of the link of a port."""

    peer: Peer
    delay_ns: float = 500.0
    #: how much faster its clock runs
    ppb: float = 0.0
    #: where it is on the clock that stamps
    epoch_ns: int = 0
    silent: bool = False
    asked: int = 0


class TimeAware(Bench):
    """A bench whose ports are of IEEE 802.1AS. ``gptp``: options of every port."""

    def __init__(self, ports: int = 1, gptp: dict[str, Any] | None = None, **options: Any) -> None:
        self.neighbors: dict[int, list[Neighbor]] = {}
        port = {
            "delay_mechanism": "P2P",
            "log_announce_interval": 0,
            "log_sync_interval": -3,
            "listen_first": False,
            "link_local": True,
            "gptp": GptpOptions(**(gptp or {})),
            **options.pop("port", {}),
        }
        super().__init__(ports, port=port, **{**OPTIONS, **options})

    def connect(self, peer: Peer, port: int = 1, **fields: Any) -> Neighbor:
        neighbor = Neighbor(peer, epoch_ns=self.now, **fields)
        self.neighbors.setdefault(port, []).append(neighbor)
        return neighbor

    def capable(self, *ports: int) -> TimeAware:
        """With a neighbour on each of these ports (1 if none), long enough to be asCapable."""
        for port in ports or (1,):
            if port not in self.neighbors:
                self.connect(Peer(0x10 + port), port)
        self.run(2.5)
        assert all(self.port(number).able for number in self.neighbors)
        return self

    def _take(self, effects: list[Effect]) -> list[Effect]:
        taken = super()._take(effects)
        for effect in taken:
            if isinstance(effect, Send) and effect.octets[0] & 0x0F == 2:
                request = decode(effect.octets)
                assert isinstance(request, PdelayReq)
                number = int(effect.channel[1:])
                for neighbor in self.neighbors.get(number, []):
                    self._answer(request, number, neighbor)
        return taken

    def _answer(self, request: PdelayReq, port: int, neighbor: Neighbor) -> None:
        neighbor.asked += 1
        if neighbor.silent:
            return
        there = self.now + self.ptp_offset_ns + neighbor.delay_ns
        t2 = round((there - neighbor.epoch_ns) * (1 + neighbor.ppb / 1e9)) + neighbor.epoch_ns
        t3 = t2 + TURNAROUND_NS
        back = self.clock_sns + round((2 * neighbor.delay_ns + TURNAROUND_NS) * 65536)
        fields = {"sdo_id": SDO}
        super().receive(neighbor.peer.pdelay_resp(request, t2, **fields), port, stamp=back)
        super().receive(neighbor.peer.pdelay_follow_up(request, t3, **fields), port)

    def signal(self, *tlvs: Tlv, peer: Peer | None = None, port: int = 1) -> list[Effect]:
        everybody = PortIdentity(ALL_CLOCKS, ALL_PORTS)
        source = (peer or Peer(0x10 + port)).identity
        return self.receive(encode(Signaling(source, 1, sdo_id=SDO, tlvs=tlvs, target=everybody)), port)
