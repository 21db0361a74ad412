"""Management messages of one instance: for whom they are, whether they are allowed, what answers them.

An answer goes back the way the request came: to the local socket's peer, by unicast to unicast, else by multicast on
the port it came in by. It is of the port that was asked, or, for what concerns the whole clock, of the port that
received the request (15.4.1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from ptpstack.protocol.effects import Effect, Managed, SendLocal
from ptpstack.protocol.management.access import Access, Bucket
from ptpstack.protocol.management.faults import FaultLog
from ptpstack.protocol.management.forwarding import Forwarding
from ptpstack.protocol.management.storage import Entry, Storage
from ptpstack.protocol.management.subscriptions import READING_SETS, Subscriptions
from ptpstack.protocol.management.table import (
    READ_WRITE,
    Alone,
    Origin,
    Refusal,
    Request,
    Served,
    Surroundings,
    Values,
)
from ptpstack.timebase.units import NS_PER_S
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.management import (
    ACKNOWLEDGE,
    COMMAND,
    GET,
    NO_SUCH_ID,
    NOT_SETABLE,
    NOT_SUPPORTED,
    RESPONSE,
    RESPONSE_TOO_BIG,
    SET,
    WRONG_LENGTH,
    WRONG_VALUE,
    management_id_name,
)
from ptpstack.wire.messages import Management, Message
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.management import ManagementErrorStatus, ManagementTlv
from ptpstack.wire.types import ALL_CLOCKS, ALL_PORTS, Flag, PortIdentity

if TYPE_CHECKING:
    from ptpstack.protocol.instance import Instance
    from ptpstack.protocol.port import Port
    from ptpstack.wire.management.items import ManagementId

#: Octets of dataField that an answer may have: with all headers it fits a frame of 1500 octets over IPv6.
MAX_DATA_OCTETS = 1392
#: what may follow the one management TLV (AUTHENTICATION, PAD)
_MAY_FOLLOW = (0x8008, 0x8009)
_ACTION_LETTERS = {GET: "G", SET: "S", COMMAND: "X"}


class Responder:
    def __init__(self, instance: Instance) -> None:
        options = instance.options.management
        self._instance = instance
        self._network = options.network
        self._access = Access(options.writers)
        self._bucket = Bucket()
        self._forwarding = Forwarding(instance)
        self.around: Surroundings = Alone()
        self.faults = FaultLog()
        self.storage = Storage()
        self.subscriptions = Subscriptions(self)
        self.user_description = options.user_description
        self.counters: Counter[str] = Counter()
        #: ingress of the last complete Sync, whole ns
        self.last_sync_ns = 0

    @cached_property
    def served(self) -> dict[int, Served]:
        """What ids do; those of the standard that are not here are NOT_SUPPORTED."""
        # loaded with the first message: most nodes never get one, and all have to start soon
        from ptpstack.protocol.management.served import SERVED

        return dict(SERVED)

    @cached_property
    def _rows(self) -> Mapping[int, ManagementId]:
        from ptpstack.wire.management.rows import MANAGEMENT_IDS

        return MANAGEMENT_IDS

    def prepare(self) -> None:
        """Load it now, where the first message is sure to come."""
        from ptpstack.protocol.management import served  # noqa: F401

    # ---- inputs -----------------------------------------------------------------------------------------------

    def from_network(self, port: Port, message: Management, address: str, now: int) -> None:
        """A management message that a port has received."""
        if not self._network:
            self.counters["drop-network-off"] += 1
            return
        if message.source.clock_identity == self._instance.clock_identity:
            self.counters["drop-own-message"] += 1
            return
        unicast = bool(message.flags & Flag.UNICAST)
        self._received(message, Origin(port.number, address, unicast=unicast), now)

    def from_local(self, socket: str, octets: bytes, address: str, now: int) -> None:
        """A datagram of a local socket, of this instance's domain and sdoId."""
        try:
            message = decode(octets)
        except MalformedFrame as error:
            self.counters[f"drop-{error.reason}"] += 1
            return
        if not isinstance(message, Management):
            self.counters["drop-not-used"] += 1
            return
        self._received(message, Origin(0, address, socket), now)

    def restore(self, entries: Iterable[Entry], now: int) -> list[str]:
        """Carry out what was kept at an earlier life; why some of it was not."""
        problems = []
        for entry in entries:
            number = min(entry.port, len(self._instance.ports))
            request = self.request(number, Origin(0, entry.address, READ_WRITE), now)
            try:
                if number != entry.port:
                    raise Refusal(WRONG_VALUE, f"there is no port {entry.port}")
                request.way = f"kept, {entry.way}"
                self._carried_out(entry.action, entry.management_id, entry.data, request)
                self.storage.note(entry)
            except Refusal as refusal:
                problems.append(f"{management_id_name(entry.management_id)}: {refusal.text}")
        return problems

    def happened(self, effects: Iterable[Effect], now: int) -> None:
        """What the instance has done: faults are noted, subscribers are told."""
        for effect in effects:
            self.faults.note(effect, lambda: self.around.time_ns(now))
        self.subscriptions.happened(effects, now)

    # ---- one message ------------------------------------------------------------------------------------------

    def _received(self, message: Management, origin: Origin, now: int) -> None:
        action = message.action & 0x0F
        self._forwarding.take(message, origin, request=action in _ACTION_LETTERS)
        if action not in _ACTION_LETTERS:
            # answers are of interest to who asked only, and reserved values to nobody
            if action not in (RESPONSE, ACKNOWLEDGE):
                self.counters["drop-action"] += 1
            return
        target = message.target
        if target.clock_identity not in (self._instance.clock_identity, ALL_CLOCKS):
            return
        tlv = self._the_tlv(message)
        if tlv is None:
            return
        if origin.port and not self._bucket.take(now):
            self.counters["drop-rate-limit"] += 1
            return
        ports, absent = self._addressed(target, tlv.management_id)
        if absent and target.clock_identity == ALL_CLOCKS:
            self.counters["drop-no-such-port"] += 1
            return
        for port in ports:
            self._serve(message, action, tlv, origin, port, absent, now)

    def _the_tlv(self, message: Management) -> ManagementTlv | None:
        tlvs = [tlv for tlv in message.tlvs if tlv.tlv_type not in _MAY_FOLLOW]
        if len(tlvs) != 1 or not isinstance(tlvs[0], ManagementTlv):
            self.counters["drop-not-one-management-tlv"] += 1
            return None
        return tlvs[0]

    def _addressed(self, target: PortIdentity, management_id: int) -> tuple[list[Port | None], bool]:
        """The ports that answer (None: the clock as a whole), and whether the one that is asked for does not exist."""
        row = self._rows.get(management_id)
        number, ports = target.port_number, self._instance.ports
        if row is None or not row.port:
            return [None], number != ALL_PORTS and number > len(ports)
        if number == ALL_PORTS:
            return list(ports), False
        if 1 <= number <= len(ports):
            return [ports[number - 1]], False
        return [None], True

    def _serve(
        self,
        message: Management,
        action: int,
        tlv: ManagementTlv,
        origin: Origin,
        port: Port | None,
        absent: bool,
        now: int,
    ) -> None:
        management_id = tlv.management_id
        request = self.request(number=port.number if port is not None else 0, origin=origin, now=now)
        request.source, request.sequence_id = message.source, message.sequence_id
        try:
            if absent:
                raise Refusal(WRONG_VALUE, f"there is no port {message.target.port_number}")
            data = self._carried_out(action, management_id, tlv.data, request)
            answer: Tlv = ManagementTlv(management_id, data)
        except Refusal as refusal:
            self.counters[f"refused-{refusal.error_id}"] += 1
            answer = ManagementErrorStatus(refusal.error_id, management_id, refusal.text)
        self._answer(message, action, answer, origin, port)

    def _carried_out(self, action: int, management_id: int, data: bytes, request: Request) -> bytes:
        """The dataField of the answer. Refusal when there is none."""
        row = self._rows.get(management_id)
        if row is None:
            raise Refusal(NO_SUCH_ID, f"0x{management_id:04X}")
        served = self.served.get(management_id)
        if served is None:
            raise Refusal(NOT_SUPPORTED, "not built in")
        self._check_action(action, row, served, request.origin)
        values = _values(action, row, data)
        if action == COMMAND:
            assert served.command is not None
            served.command(request, values)
            self._tell(action, row, data, request)
            return data
        if action == SET:
            assert served.set is not None
            served.set(request, values)
            self._tell(action, row, data, request)
        if served.get is None:
            return b""
        answer = row.encode(served.get(request, values))
        if len(answer) > MAX_DATA_OCTETS:
            raise Refusal(RESPONSE_TOO_BIG, f"{len(answer)} octets")
        return answer

    def _tell(self, action: int, row: ManagementId, data: bytes, request: Request) -> None:
        """Who has changed what is worth a line of everybody's log, and may have to be kept."""
        if row.number in READING_SETS or not row.number:
            return
        self.counters["changes"] += 1
        origin = request.origin
        number = request.port.number if row.port else 0
        time_ns = self.around.time_ns(request.now)
        at_s = None if time_ns is None else time_ns // NS_PER_S
        self.storage.note(Entry(action, row.number, number, data, request.way, origin.address, at_s))
        what = " ".join(f"{label} {text}" for label, text in row.rows(row.decode(data))) if data else ""
        self._instance.emit(Managed(number, row.name, what, request.way, origin.address))

    def _check_action(self, action: int, row: ManagementId, served: Served, origin: Origin) -> None:
        function = {GET: served.get, SET: served.set, COMMAND: served.command}[action]
        if function is None:
            if action == SET and served.get is not None:
                raise Refusal(NOT_SETABLE, "read only")
            raise Refusal(NOT_SUPPORTED, "no such action")
        if action == GET or (row.number in READING_SETS and origin.port == 0):
            return
        if not self._access.may_write(origin):
            self.counters["refused-access"] += 1
            raise Refusal(NOT_SUPPORTED, "not allowed from here")

    # ---- answers ----------------------------------------------------------------------------------------------

    def _answer(self, message: Management, action: int, answer: Tlv, origin: Origin, port: Port | None) -> None:
        number = port.number if port is not None else origin.port
        # what was set may be the domain: the answer is of the one in which it was asked for
        response = self.message(number, message.source, message.sequence_id, answer, message)
        response.action = ACKNOWLEDGE if action == COMMAND else RESPONSE
        response.starting_boundary_hops = (message.starting_boundary_hops - message.boundary_hops) & 0xFF
        response.boundary_hops = response.starting_boundary_hops
        self.send(response, origin)

    def message(
        self, number: int, target: PortIdentity, sequence_id: int, tlv: Tlv, like: Message | None = None
    ) -> Management:
        """A message of a port (0: of the clock), to somebody; in the domain of ``like``."""
        options = self._instance.options
        return Management(
            PortIdentity(self._instance.clock_identity, number),
            sequence_id,
            domain=options.domain if like is None else like.domain,
            sdo_id=options.sdo_id if like is None else like.sdo_id,
            control=4,
            minor_version=options.minor_version,
            target=target,
            action=RESPONSE,
            tlvs=(tlv,),
        )

    def send(self, message: Management, origin: Origin) -> None:
        """To where a message has come from."""
        if origin.port == 0:
            self._instance.emit(SendLocal(origin.socket, encode(message), origin.address))
            return
        port = self._instance.ports[origin.port - 1]
        if origin.unicast:
            message.flags |= Flag.UNICAST
        port.send_general(message, origin.address if origin.unicast else None)

    def request(self, number: int, origin: Origin, now: int) -> Request:
        return Request(self, self._instance, self._instance.ports[max(number, 1) - 1], origin, now)

    def response_to(self, management_id: int, request: Request) -> ManagementTlv:
        """What a GET of ``request`` would answer now."""
        get = self.served[management_id].get
        assert get is not None
        return ManagementTlv(management_id, self._rows[management_id].encode(get(request, {})))


def _values(action: int, row: ManagementId, data: bytes) -> Values:
    """What came with a request. A GET comes empty, or with as many octets as its answer has."""
    if action == GET and not data:
        return {}
    size = row.size
    if size is not None and len(data) != size + (size & 1):
        raise Refusal(WRONG_LENGTH, f"{len(data)} octets, not {size + (size & 1)}")
    try:
        return row.decode(data)
    except MalformedFrame as error:
        if action == GET and size is None:
            # of no meaning, and nobody can say how long an answer will be
            return {}
        raise Refusal(WRONG_VALUE if error.reason == "timestamp" else WRONG_LENGTH, error.detail) from error
