"""The channel of a port that cannot be opened for now: takes everything, gives nothing, and says what is in the way.

It stands where a real one will stand once its interface is there, so that nobody has to ask whether there is one.
"""

from __future__ import annotations

from contextlib import suppress

from ptpstack.net import abilities, device
from ptpstack.net.channel import ChannelError, Received, TransmitStamp
from ptpstack.net.layers import layers_of


class AbsentChannel:
    """See ``net.channel.Channel``. ``problem``: why it is not open, a sentence.

    ``stamping`` is what the interface would give, "" when there is no interface to ask; ``mac`` likewise b"".
    """

    def __init__(self, interface: str, transport: str, stamping: str, problem: str) -> None:
        self.interface = interface
        self.transport = transport
        self.problem = problem
        self.interface_index = 0
        self.stack: tuple[str, ...] = (interface,)
        self.stamping = stamping if stamping != "auto" else ""
        self.stamping_reason = f"not open: {problem}"
        self.phc_index: int | None = None
        self.one_step = ""
        self.mac = b""
        with suppress(ChannelError, OSError, ValueError):
            device.index_of(interface)
            self.stack = tuple(layer.name for layer in layers_of(interface))
            self.mac = device.hardware_address_of(interface)[1]
            choice = abilities.choose(abilities.query(self.stack[-1]), transport, stamping)
            self.stamping, self.phc_index = choice.stamping, choice.phc_index
        self.drained = True
        self._unsent: list[TransmitStamp] = []
        self._send_errors = 0

    @property
    def name(self) -> str:
        return f"{self.interface}/{self.transport}"

    def receive_filenos(self) -> list[int]:
        return []

    def stamp_fileno(self) -> int:
        """There is none: -1, which no selector takes."""
        return -1

    def receive(self, fileno: int, limit: int = 64) -> list[Received]:
        return []

    def transmit_stamps(self, now_ns: int) -> list[TransmitStamp]:
        unsent, self._unsent = self._unsent, []
        return unsent

    def next_stamp_deadline_ns(self) -> int | None:
        return 0 if self._unsent else None

    def send_event(self, octets: bytes, destination: str | None, token: int, now_ns: int) -> None:
        self._send_errors += 1
        self._unsent.append(TransmitStamp(token, None, "unsent"))

    def send_general(self, octets: bytes, destination: str | None) -> None:
        self._send_errors += 1

    def send_general_all(self, frames: list[bytes]) -> None:
        self._send_errors += len(frames)

    def counters(self) -> dict[str, int]:
        return {"send_errors": self._send_errors}

    def close(self) -> None:
        self._unsent.clear()
