"""The channel of an instance inside a transparent clock: it has no socket, because its frames pass in the engine.

It is here for who asks what stamps them, and whose address they carry: those of the bridge.
"""

from __future__ import annotations

from ptpstack.net.channel import Channel, Received, TransmitStamp


class InsideChannel:
    """See ``net.channel.Channel``. ``bridge_port``: the first port of the bridge."""

    drained = True
    interface_index = 0
    stack: tuple[str, ...] = ()
    one_step = ""

    def __init__(self, transparent: str, transport: str, bridge_port: Channel) -> None:
        self.interface = transparent
        self.transport = transport
        self.stamping = bridge_port.stamping
        self.stamping_reason = f"as the ports of transparent clock {transparent}"
        self.phc_index = bridge_port.phc_index
        self.mac = bridge_port.mac

    @property
    def name(self) -> str:
        return f"{self.interface}/{self.transport}"

    def receive_filenos(self) -> list[int]:
        return []

    def stamp_fileno(self) -> int:
        """There is none: -1."""
        return -1

    def receive(self, fileno: int, limit: int = 64) -> list[Received]:
        return []

    def transmit_stamps(self, now_ns: int) -> list[TransmitStamp]:
        return []

    def next_stamp_deadline_ns(self) -> int | None:
        return None

    def send_event(self, octets: bytes, destination: str | None, token: int, now_ns: int) -> None:
        """Nobody does: the engine passes it on inside."""

    def send_general(self, octets: bytes, destination: str | None) -> None:
        """Likewise."""

    def send_general_all(self, frames: list[bytes]) -> None:
        """Likewise."""

    def counters(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        """There is nothing to close."""
