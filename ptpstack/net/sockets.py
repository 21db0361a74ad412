"""What the channels of all transports share: the stamped transmit socket, buffers, counters, and errors people can use.

Rules:

1. Transmit stamps come back on a socket that receives nothing: receive queue and error queue share one buffer, and a
   flood of the event port would push the stamps out.
2. Nothing here waits. All sockets are non-blocking; a stamp that is not there yet is asked for again.
3. What the network or the driver does to a send is counted and answered under its token, never raised.
"""

from __future__ import annotations

import array
import errno
import socket
import struct

from ptpstack.net import device, timestamping
from ptpstack.net.abilities import Choice
from ptpstack.net.channel import ChannelError, TransmitStamp
from ptpstack.net.pending import PendingStamps
from ptpstack.protocol.effects import ONE_STEP

SO_ATTACH_FILTER = 26
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33
SO_SELECT_ERR_QUEUE = 45
SO_MEMINFO = 55
SO_BINDTODEVICE = 25
_MEMINFO_DROPS = 8

#: A stamp later than this is given up: ns.
HARDWARE_STAMP_TIMEOUT_NS = 100_000_000
SOFTWARE_STAMP_TIMEOUT_NS = 50_000_000
RECEIVE_BUFFER = 4 << 20
#: of sockets that send to single addresses: what goes to some hundred that nobody is at, for the seconds that it waits
SEND_BUFFER = 16 << 20
#: Error queue entries handled in one call, so that a call is bounded.
_STAMP_LIMIT = 4096

BpfInstruction = tuple[int, int, int, int]
#: Classic BPF: ``ret 0``, accept nothing.
DROP_ALL: tuple[BpfInstruction, ...] = ((0x06, 0, 0, 0),)


def attach_filter(sock: socket.socket, program: tuple[BpfInstruction, ...]) -> None:
    """Attach a classic BPF program to ``sock``."""
    code = array.array("B", b"".join(struct.pack("=HBBI", *instruction) for instruction in program))
    # The kernel copies the program during the call: ``code`` must live until then, no longer.
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(program), code.buffer_info()[0]))


def grow_receive_buffer(sock: socket.socket, octets: int) -> int:
    """Ask for a receive buffer of ``octets``, past net.core.rmem_max where we may; returns what was granted."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, octets)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)
    # The kernel doubles the number for its own bookkeeping.
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2


def grow_send_buffer(sock: socket.socket, octets: int) -> None:
    """Ask for a send buffer of ``octets``, past net.core.wmem_max where we may."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, octets)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, octets)


def kernel_drops(sock: socket.socket) -> int:
    """Datagrams the kernel dropped because the receive buffer was full (SO_MEMINFO), since the socket was made.

    Preferred to SO_RXQ_OVFL, which adds a control message to each datagram after the first loss: slowest when busiest.
    """
    try:
        numbers = sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36)
    except OSError:
        return 0
    return int(struct.unpack_from("I", numbers, 4 * _MEMINFO_DROPS)[0]) if len(numbers) >= 36 else 0


def bind_to_device(sock: socket.socket, interface: str) -> None:
    sock.setsockopt(socket.SOL_SOCKET, SO_BINDTODEVICE, interface.encode())


def explain(interface: str, transport: str, error: OSError) -> ChannelError:
    """The kernel's refusal to open a channel as a ChannelError: which interface, what is wrong, what to do."""
    number = error.errno or errno.EIO
    if number in (errno.EPERM, errno.EACCES):
        need = (
            "CAP_NET_RAW"
            if transport in ("l2", "bridge")
            else "CAP_NET_BIND_SERVICE (ports 319 and 320) and CAP_NET_RAW"
        )
        text = f"not permitted: {transport} needs {need}; run as root, or grant it (systemd: AmbientCapabilities=)"
    elif number == errno.EADDRINUSE:
        text = (
            "UDP port 319 or 320 is taken by a program that does not share it; find it with "
            "`ss -lunp 'sport = :319 or sport = :320'` and stop it"
        )
    elif number in (errno.ENODEV, errno.ENXIO):
        text = "the interface went away; `ptpstack interfaces` lists those that are there"
    else:
        text = f"{error.strerror or error} (opening {transport}); see the kernel's log (dmesg) for the interface"
    return ChannelError(number, f"{interface}: {text}")


def awaited(token: int) -> int | None:
    """Who waits for the stamp of an event message: nobody for that of a one-step one."""
    return None if token == ONE_STEP else token


class SocketChannel:
    """The half of a Channel that does not depend on the transport. Subclasses receive and address."""

    transport = ""

    def __init__(self, interface: str, choice: Choice, stamp_timeout_ns: int | None) -> None:
        self.interface = interface
        self.interface_index = device.index_of(interface)
        self.stack = choice.stack or (interface,)
        self.stamping = choice.stamping
        self.stamping_reason = choice.reason
        self.phc_index = choice.phc_index
        self.one_step = choice.one_step
        self.mac = device.hardware_address_of(interface)[1]
        hardware = choice.stamping == "hardware"
        if stamp_timeout_ns is None:
            stamp_timeout_ns = HARDWARE_STAMP_TIMEOUT_NS if hardware else SOFTWARE_STAMP_TIMEOUT_NS
        self._index = timestamping.HARDWARE_INDEX if hardware else timestamping.SOFTWARE_INDEX
        self._pending = PendingStamps(stamp_timeout_ns)
        self._sockets: list[socket.socket] = []
        self._event_tx: socket.socket | None = None
        self._receivers: dict[int, socket.socket] = {}
        #: one buffer for all input: a datagram's octets are copied out once, in their true length, which is quicker
        #: than a bytes object per datagram that is made long and then cut
        self._buffer = bytearray(max(2048, device.mtu_of(interface) + 64))
        self._view = memoryview(self._buffer)
        #: octets of receive buffer that the kernel granted, smallest of the receive sockets
        self.receive_buffer = 0
        self.drained = True
        #: the last error of a socket, for status: "" when there was none
        self.last_error = ""
        self._received = self._sent = self._stamped = self._no_stamp = self._wrong_port = 0
        self._unusable = self._send_errors = self._socket_errors = 0

    @property
    def name(self) -> str:
        return f"{self.interface}/{self.transport}"

    def receive_filenos(self) -> list[int]:
        return list(self._receivers)

    def stamp_fileno(self) -> int:
        return self._stamped_socket().fileno()

    def transmit_stamps(self, now_ns: int) -> list[TransmitStamp]:
        pending = self._pending
        if self._event_tx is None:
            return pending.overdue(now_ns)
        receive = self._event_tx.recvmsg
        index = self._index
        out: list[TransmitStamp] = []
        for _ in range(_STAMP_LIMIT):
            try:
                _, ancillary, _, _ = receive(0, timestamping.ANCILLARY_SIZE, timestamping.MSG_ERRQUEUE)
            except BlockingIOError:
                break
            except OSError as error:
                self._note(error)
                break
            found = timestamping.transmit_stamp_of(ancillary, index)
            if found is not None:
                answer = pending.stamped(*found)
                if answer is not None:
                    out.append(answer)
        overdue = pending.overdue(now_ns)
        return out + overdue if overdue else out

    def send_general(self, octets: bytes, destination: str | None) -> None:
        raise NotImplementedError

    def send_general_all(self, frames: list[bytes]) -> None:
        for octets in frames:
            self.send_general(octets, None)

    def next_stamp_deadline_ns(self) -> int | None:
        """When to call ``transmit_stamps`` at the latest, to learn of missing stamps in time; None: no need."""
        return self._pending.deadline_ns()

    def counters(self) -> dict[str, int]:
        """Since open. ``kernel_drops`` is what the kernel lost for want of buffer, all receive sockets together."""
        return {
            "received": self._received,
            "sent": self._sent,
            "no_stamp": self._no_stamp,
            "wrong_port": self._wrong_port,
            "unusable": self._unusable,
            "tx_stamp_missing": self._pending.missing,
            "tx_stamp_late": self._pending.late,
            "tx_stamp_ambiguous": self._pending.ambiguous,
            "tx_stamp_waiting": len(self._pending),
            "send_errors": self._send_errors,
            "socket_errors": self._socket_errors,
            "kernel_drops": sum(kernel_drops(s) for s in self._receivers.values()),
            "receive_buffer": self.receive_buffer,
        }

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()
        self._receivers.clear()
        self._event_tx = None
        self._pending.clear()

    def _stamped_socket(self) -> socket.socket:
        if self._event_tx is None:
            raise OSError(errno.EBADF, f"channel {self.name} is closed")
        return self._event_tx

    def _add(self, sock: socket.socket) -> socket.socket:
        """Every socket passes here at once, so that ``close`` finds it even when opening fails half way."""
        self._sockets.append(sock)
        sock.setblocking(False)
        return sock

    def _note(self, error: OSError) -> None:
        self._socket_errors += 1
        self.last_error = error.strerror or str(error)

    def _send_failed(self, error: OSError) -> None:
        self._send_errors += 1
        self.last_error = f"send: {error.strerror or error}"
