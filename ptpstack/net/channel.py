"""The one interface of a network channel: an (interface, transport) pair that PTP ports share.

Several instances (domains) may live on one channel; the engine tells their frames apart.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class ChannelError(OSError):
    """The channel cannot be opened. Says which interface, what is wrong, and what to do."""

    def __str__(self) -> str:
        return self.strerror or super().__str__()


class Received(NamedTuple):
    """One datagram, UDP payload or Ethernet payload: the octets from the start of the PTP header."""

    octets: bytes
    #: kernel or NIC time stamp, ns on the clock of the channel's stamping; None when there was none.
    stamp_ns: int | None
    #: sender's transport address: dotted IPv4, or MAC as ``aa:bb:cc:dd:ee:ff``
    source: str
    #: arrived on the event socket (UDP 319) or general socket (UDP 320). L2 has one: by message type.
    event: bool


class TransmitStamp(NamedTuple):
    token: int
    stamp_ns: int | None
    #: why there is none: ``timeout``, ``overflow``, ``unsent`` (the send itself failed), ``resync``
    missing: str = ""


class Channel(Protocol):
    """Contract: tests/net/test_contract.py runs over every transport."""

    @property
    def name(self) -> str:
        """``eth1/udp4``, ``eth1/l2``"""

    @property
    def interface(self) -> str: ...

    @property
    def interface_index(self) -> int:
        """The kernel's number of the interface at open: another one means another interface of the same name."""

    @property
    def stack(self) -> tuple[str, ...]:
        """The interface and what it stood on at open: VLAN, bond, active member. The last is the one that stamps."""

    @property
    def stamping(self) -> str:
        """``hardware`` or ``software``, chosen at open; ``stamping_reason`` says why."""

    @property
    def stamping_reason(self) -> str: ...

    @property
    def phc_index(self) -> int | None: ...

    @property
    def one_step(self) -> str:
        """What the NIC completes as it leaves: ``sync``, ``p2p`` (Pdelay_Resp, too), "" for nothing."""

    @property
    def mac(self) -> bytes: ...

    def receive_filenos(self) -> list[int]:
        """Descriptors to watch for input."""

    def stamp_fileno(self) -> int:
        """The transmit-only event socket: watch for error-queue readiness (POLLERR) only."""

    drained: bool
    """The last ``receive`` ended because nothing was left, not because of its limit."""

    def receive(self, fileno: int, limit: int = 64) -> list[Received]:
        """Drain up to ``limit`` datagrams; [] when there are none. Never raises for what the network sent."""

    def transmit_stamps(self, now_ns: int) -> list[TransmitStamp]:
        """Drain the error queue; also reports, once each, sends whose stamp has not come in time."""

    def next_stamp_deadline_ns(self) -> int | None:
        """When to call ``transmit_stamps`` at the latest, to learn of missing stamps in time; None: no need."""

    def send_event(self, octets: bytes, destination: str | None, token: int, now_ns: int) -> None:
        """Send by the stamped event socket; the stamp comes back under ``token``.

        ``token`` ``protocol.effects.ONE_STEP``: the NIC completes the frame, and no stamp comes back.
        ``destination``: None, ``protocol.effects.PEER_DELAY``, or an address as ``Received.source`` is one.
        """

    def send_general(self, octets: bytes, destination: str | None) -> None: ...

    def send_general_all(self, frames: list[bytes]) -> None:
        """Frames of one length, in this order, to the group: the same on the wire as ``send_general`` for each."""

    def counters(self) -> dict[str, int]: ...

    def close(self) -> None:
        """Afterwards nothing raises: what is sent is counted and answered as unsent, nothing is received."""
