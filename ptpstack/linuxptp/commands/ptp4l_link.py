"""What phc2sys and ts2phc learn from a ptp4l, or from a node of ours, by its management socket.

Who answers an id with an error does not have it (3.1.1 knows no PORT_HWCLOCK_NP): then the interface tells its clock.
Pushed port states come by a subscription, which is renewed; a push that is lost costs one interval of asking.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ptpstack.net import abilities
from ptpstack.node.management_client import LocalTransport, ManagementClient, ManagementUnavailable
from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.management.commands import Ask, Target, parse
from ptpstack.wire.management.rows import MANAGEMENT_IDS
from ptpstack.wire.messages import Management
from ptpstack.wire.tlvs.management import ManagementTlv
from ptpstack.wire.types import PortState

SOFTWARE = 0
#: s: how long a subscription lasts, and when it is renewed
SUBSCRIPTION_S = 60
RENEWAL_NS = 20_000_000_000
_SUBSCRIBE = (
    f"SET SUBSCRIBE_EVENTS_NP duration {SUBSCRIPTION_S} NOTIFY_PORT_STATE on NOTIFY_TIME_SYNC off "
    "NOTIFY_PARENT_DATA_SET off NOTIFY_CMLDS off"
)


@dataclass(slots=True)
class Port:
    number: int
    state: PortState
    interface: str
    #: index of its PHC; None: it stamps in software
    phc: int | None


@dataclass(frozen=True, slots=True)
class UtcOffset:
    """``offset_s`` None: the time scale is an arbitrary one."""

    offset_s: int | None
    valid: bool


class Ptp4lLink:
    """One socket. ManagementUnavailable from everything that asks: nobody there, or no answer."""

    def __init__(self, path: str, domain: int, major_sdo_id: int) -> None:
        self.path, self.domain = path, domain
        self._transport = LocalTransport(path)
        self._client = ManagementClient(self._transport, domain=domain, sdo_id=major_sdo_id << 8, hops=0)
        self.ports: dict[int, Port] = {}
        self._renew_ns = 0

    def close(self) -> None:
        self._transport.close()

    def fileno(self) -> int:
        return self._transport.filenos()[0]

    # ---- asking -----------------------------------------------------------------------------------------------

    def _get(self, line: str) -> dict[str, Any] | None:
        """The values of the first answer; None: it answers with an error."""
        ask = parse(line)
        assert isinstance(ask, Ask)
        for answer in self._client.ask(ask, quiet_s=0.02):
            # a push may have the same sequenceId
            if any(getattr(tlv, "management_id", None) == ask.row.number for tlv in answer.tlvs):
                return _values(answer)
        raise ManagementUnavailable(
            f"{self.path}: no answer to {line} (is domain {self.domain} the one of ptp4l? -n, --transportSpecific)"
        )

    def learn(self) -> None:
        """Ports, their states and clocks, and be told of what changes."""
        default = self._get("GET DEFAULT_DATA_SET")
        if default is None:
            raise ManagementUnavailable(f"{self.path}: refuses DEFAULT_DATA_SET")
        ports = {}
        for number in range(1, int(default["numberPorts"]) + 1):
            self._aim(default, number)
            about = self._get("GET PORT_PROPERTIES_NP")
            if about is not None:
                hardware = self._get("GET PORT_HWCLOCK_NP")
                ports[number] = _port(number, about, hardware)
        self._aim(default, 0xFFFF)
        self.ports = ports
        self._get(_SUBSCRIBE)

    def _aim(self, default: dict[str, Any], port: int) -> None:
        identity = bytes(default["clockIdentity"]).hex()
        target = parse(f"TARGET {identity}-{port if port != 0xFFFF else '*'}")
        assert isinstance(target, Target)
        self._client.target = target.identity

    def utc_offset(self) -> UtcOffset:
        time = self._get("GET TIME_PROPERTIES_DATA_SET")
        if time is None or not time["ptpTimescale"]:
            return UtcOffset(None, False)
        return UtcOffset(int(time["currentUtcOffset"]), bool(time["currentUtcOffsetValid"]))

    # ---- listening --------------------------------------------------------------------------------------------

    def renew(self, now: int) -> int:
        """Renew the subscription when that is due, and ask how the ports are; when to call again."""
        if now >= self._renew_ns:
            for line in (_SUBSCRIBE, "GET PORT_DATA_SET"):
                ask = parse(line)
                assert isinstance(ask, Ask)
                self._client.send(ask)
            # what could not be sent is still due
            self._renew_ns = now + RENEWAL_NS
        return self._renew_ns

    def heard(self) -> bool:
        """Take what has come. Whether a port state has changed."""
        changed = False
        for answer in self._client.answers(0.001, 0.001):
            values = _values(answer)
            if values is None or "portState" not in values:
                continue
            port = self.ports.get(values["portIdentity"].port_number)
            if port is not None and port.state != values["portState"]:
                port.state = PortState(values["portState"])
                changed = True
        return changed


def _values(answer: Management) -> dict[str, Any] | None:
    for tlv in answer.tlvs:
        row = MANAGEMENT_IDS.get(tlv.management_id) if isinstance(tlv, ManagementTlv) else None
        if row is not None and isinstance(tlv, ManagementTlv):
            try:
                return row.decode_prefix(tlv.data)[0]
            except MalformedFrame:
                return None
    return None


def _port(number: int, about: dict[str, Any], hardware: dict[str, Any] | None) -> Port:
    interface = str(about["interface"])
    phc: int | None = None
    if about["timestamping"] != SOFTWARE:
        phc = int(hardware["phc_index"]) if hardware is not None else abilities.query(interface).phc_index
    return Port(number, PortState(about["portState"]), interface, phc if phc is not None and phc >= 0 else None)
