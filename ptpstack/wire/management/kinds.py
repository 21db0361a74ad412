"""What a field of a management dataField can be: how it is read and written, and how people see it.

Each kind does four things with a value: ``read`` from octets (MalformedFrame when they do not hold it), ``write`` to
octets (ValueError when it does not fit), ``text`` in the form that users of ``pmc`` know, with its inverse ``parse``
(ValueError), and ``json``. Nothing else in the program knows how a dataField is laid out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.packing import SECOND_NS, SECONDS_LIMIT, check_timestamp, pack_timestamp
from ptpstack.wire.tlvs.base import read_text, write_text
from ptpstack.wire.tlvs.port import PortAddress
from ptpstack.wire.types import PortIdentity, format_clock_identity, parse_clock_identity
from ptpstack.wire.values import (
    accuracy_text,
    delay_mechanism_text,
    identity_text,
    json_value,
    port_state_text,
    safe_text,
    time_source_text,
)

Parsed = tuple[Any, int]


def too_short(octets: bytes, need: int) -> MalformedFrame:
    return MalformedFrame(len(octets), "management-data", f"the dataField ends after {len(octets)} octets, not {need}")


class Kind:
    """``size`` in octets, None when it depends on the value. This one: octets as they are, shown with colons."""

    def __init__(self, size: int | None) -> None:
        self.size = size

    def read(self, octets: bytes, at: int) -> Parsed:
        assert self.size is not None
        end = at + self.size
        if end > len(octets):
            raise too_short(octets, end)
        return octets[at:end], end

    def write(self, name: str, value: Any) -> bytes:
        if not isinstance(value, bytes) or len(value) != self.size:
            raise ValueError(f"{name}: needs {self.size} octets, got {value!r}")
        return value

    def text(self, value: Any) -> str:
        return str(value.hex(":"))

    def parse(self, text: str) -> Any:
        return bytes.fromhex(text.replace(":", ""))

    def json(self, value: Any) -> Any:
        return self.text(value)


class Number(Kind):
    """A whole number. ``meaning``: what a code stands for, for JSON; ``style``: a format of str.format."""

    def __init__(
        self,
        size: int,
        *,
        signed: bool = False,
        style: str = "{}",
        meaning: Callable[[int], str] | None = None,
        order: str = "big",
    ) -> None:
        super().__init__(size)
        self.signed, self.style, self.meaning = signed, style, meaning
        self._little = order == "little"
        bits = 8 * size
        self.low = -(1 << bits - 1) if signed else 0
        self.high = (1 << bits - 1) - 1 if signed else (1 << bits) - 1

    def read(self, octets: bytes, at: int) -> Parsed:
        part, end = super().read(octets, at)
        return int.from_bytes(part, "little" if self._little else "big", signed=self.signed), end

    def write(self, name: str, value: Any) -> bytes:
        if not isinstance(value, int):
            raise ValueError(f"{name}: needs a whole number, got {value!r}")
        if not self.low <= value <= self.high:
            raise ValueError(f"{name}: {value} is outside {self.low}..{self.high}")
        assert self.size is not None
        return value.to_bytes(self.size, "little" if self._little else "big", signed=self.signed)

    def text(self, value: Any) -> str:
        return self.style.format(value)

    def parse(self, text: str) -> Any:
        return int(text, 0)

    def json(self, value: Any) -> Any:
        return value if self.meaning is None else {"raw": value, "meaning": self.meaning(value)}


class Named(Number):
    """A number whose values have names: text is the name."""

    def __init__(self, size: int, names: Mapping[int, str]) -> None:
        super().__init__(size, meaning=lambda value: names.get(value, f"0x{value:X}"))
        self._names = names

    def text(self, value: Any) -> str:
        return self._names.get(value, f"0x{value:X}")

    def parse(self, text: str) -> Any:
        for value, name in self._names.items():
            if name.lower() == text.lower():
                return value
        return int(text, 0)


class Interval(Number):
    """TimeInterval (5.3.2): 2**-16 ns. Text in ns, with ``decimals``."""

    def __init__(self, decimals: int, order: str = "big") -> None:
        super().__init__(8, signed=True, order=order)
        self._decimals = decimals

    def text(self, value: Any) -> str:
        # + 0.0: there is no negative zero
        nanoseconds = round(value / 65536, self._decimals) + 0.0
        return f"{nanoseconds:.{self._decimals}f}" if self._decimals else str(value >> 16)

    def parse(self, text: str) -> Any:
        return round(float(text) * 65536)

    def json(self, value: Any) -> Any:
        return json_value("", "ti", value)


class Version(Number):
    """versionNumber in the low nibble."""

    def __init__(self) -> None:
        super().__init__(1)

    def text(self, value: Any) -> str:
        return str(value & 0x0F)


class Scaled(Number):
    """A signed 32-bit ratio in units of 2**-41 (802.1AS)."""

    def __init__(self) -> None:
        super().__init__(4, signed=True)

    def text(self, value: Any) -> str:
        return f"{value / (1 << 41):+.9f}"

    def parse(self, text: str) -> Any:
        return round(float(text) * (1 << 41))


class ScaledNs(Number):
    """ScaledNs (802.1AS): 96 bits of 2**-16 ns."""

    def __init__(self) -> None:
        super().__init__(12, signed=True)

    def text(self, value: Any) -> str:
        digits = f"{value & (1 << 96) - 1:024x}"
        return f"0x{digits[:4]}'{digits[4:20]}.{digits[20:]}"

    def parse(self, text: str) -> Any:
        number = int(text.replace("'", "").replace(".", ""), 16)
        return number - (1 << 96) if number >> 95 else number

    def json(self, value: Any) -> Any:
        return json_value("", "i96", value)


class Instant(Kind):
    """Timestamp (5.3.3) as ns since the epoch. Text: seconds and nine decimals.

    ``or_unknown``: all ones is ``None``, a time that is not known (FaultRecord).
    """

    def __init__(self, *, or_unknown: bool = False) -> None:
        super().__init__(10)
        self._or_unknown = or_unknown

    def read(self, octets: bytes, at: int) -> Parsed:
        part, end = super().read(octets, at)
        if self._or_unknown and part == b"\xff" * 10:
            return None, end
        seconds, ns = int.from_bytes(part[:6], "big"), int.from_bytes(part[6:], "big")
        if ns >= SECOND_NS:
            raise MalformedFrame(at + 6, "timestamp", f"nanosecondsField {ns} is not below 10**9")
        return seconds * SECOND_NS + ns, end

    def write(self, name: str, value: Any) -> bytes:
        if value is None and self._or_unknown:
            return b"\xff" * 10
        check_timestamp("dataField", name, value)
        return pack_timestamp("dataField", name, value)

    def text(self, value: Any) -> str:
        return "unknown" if value is None else f"{value // SECOND_NS}.{value % SECOND_NS:09d}"

    def parse(self, text: str) -> Any:
        seconds, _, rest = text.partition(".")
        if len(rest) > 9 or not (seconds + rest).isdecimal() or int(seconds) >= SECONDS_LIMIT:
            raise ValueError(f"{text!r} is not a time in seconds with at most nine decimals")
        return int(seconds) * SECOND_NS + int(rest.ljust(9, "0"))

    def json(self, value: Any) -> Any:
        return None if value is None else json_value("", "ts", value)


class Identity(Kind):
    """ClockIdentity (5.3.4)."""

    def __init__(self) -> None:
        super().__init__(8)

    def text(self, value: Any) -> str:
        return format_clock_identity(value)

    def parse(self, text: str) -> Any:
        return parse_clock_identity(text)


class Port(Kind):
    """PortIdentity (5.3.5)."""

    def __init__(self) -> None:
        super().__init__(10)

    def read(self, octets: bytes, at: int) -> Parsed:
        part, end = super().read(octets, at)
        return PortIdentity(part[:8], part[8] << 8 | part[9]), end

    def write(self, name: str, value: Any) -> bytes:
        clock, port = value
        return super().write(name, clock + U16.write(name, port))

    def text(self, value: Any) -> str:
        return str(value)

    def parse(self, text: str) -> Any:
        clock, _, port = text.rpartition("-")
        return PortIdentity(parse_clock_identity(clock), int(port))

    def json(self, value: Any) -> Any:
        return identity_text(value)


class Text(Kind):
    """PTPText (5.3.9)."""

    def __init__(self) -> None:
        super().__init__(None)

    def read(self, octets: bytes, at: int) -> Parsed:
        return read_text("dataField", octets, at, 0)

    def write(self, name: str, value: Any) -> bytes:
        return write_text("dataField", name, value)

    def text(self, value: Any) -> str:
        return safe_text(value)

    def parse(self, text: str) -> Any:
        return text


class Counted(Kind):
    """Octets behind a 16-bit count of them: physicalAddress."""

    def __init__(self) -> None:
        super().__init__(None)

    def read(self, octets: bytes, at: int) -> Parsed:
        count, at = U16.read(octets, at)
        return Kind(count).read(octets, at)

    def write(self, name: str, value: Any) -> bytes:
        return U16.write(name, len(value)) + bytes(value)


class Address(Kind):
    """PortAddress (5.3.6). Text: networkProtocol and address."""

    def __init__(self) -> None:
        super().__init__(None)

    def read(self, octets: bytes, at: int) -> Parsed:
        protocol, at = U16.read(octets, at)
        address, at = Counted().read(octets, at)
        return PortAddress(protocol, address), at

    def write(self, name: str, value: Any) -> bytes:
        return U16.write(name, value.network_protocol) + Counted().write(name, value.address)

    def text(self, value: Any) -> str:
        return f"{value.network_protocol} {address_text(value)}"

    def parse(self, text: str) -> Any:
        return parse_address(text)

    def json(self, value: Any) -> Any:
        return {"networkProtocol": value.network_protocol, "address": address_text(value)}


def address_text(value: PortAddress) -> str:
    """``192.0.2.1``, ``2001:db8:0:0:0:0:0:1``, ``00:1b:21:aa:bb:cc``."""
    octets = value.address
    if value.network_protocol == 1 and len(octets) == 4:
        return ".".join(map(str, octets))
    if value.network_protocol == 2 and len(octets) == 16:
        return ":".join(f"{octets[n] << 8 | octets[n + 1]:x}" for n in range(0, 16, 2))
    return octets.hex(":")


def parse_address(text: str) -> PortAddress:
    """The inverse of ``address_text``, for text in full (IPv6 also with ``::``); ValueError otherwise."""
    if "." in text:
        octets = bytes(int(part) for part in text.split("."))
        if len(octets) == 4:
            return PortAddress(1, octets)
    elif text.count(":") == 5 and "::" not in text and all(len(part) == 2 for part in text.split(":")):
        return PortAddress(3, bytes.fromhex(text.replace(":", "")))
    elif ":" in text:
        head, gap, tail = text.partition("::")
        before, after = ([int(p, 16) for p in part.split(":")] if part else [] for part in (head, tail))
        groups = before + [0] * (8 - len(before) - len(after) if gap else 0) + after
        if len(groups) == 8 and max(groups) <= 0xFFFF:
            return PortAddress(2, b"".join(group.to_bytes(2, "big") for group in groups))
    raise ValueError(f"{text!r} is no IPv4, IPv6 or MAC address")


U8, U16, U32 = Number(1), Number(2), Number(4)
I8, I16, I32, I64 = (Number(size, signed=True) for size in (1, 2, 4, 8))
U48 = Number(6)
#: statistics of linuxptp come in the octet order of most machines, not of the network
LITTLE64 = Number(8, order="little")
HEX16, HEX32 = Number(2, style="0x{:04x}"), Number(4, style="0x{:08x}")
ACCURACY = Number(1, style="0x{:02x}", meaning=accuracy_text)
SOURCE = Number(1, style="0x{:02x}", meaning=time_source_text)
MECHANISM = Number(1, meaning=delay_mechanism_text)
STATE = Named(1, {code: port_state_text(code) for code in range(1, 10)})
BOOL32 = Named(4, {0: "false", 1: "true"})
VERSION = Version()
RATIO, SCALED_NS = Scaled(), ScaledNs()
INTERVAL, WHOLE_INTERVAL, LITTLE_INTERVAL = Interval(1), Interval(0), Interval(1, "little")
INSTANT, FAULT_TIME = Instant(), Instant(or_unknown=True)
CLOCK, PORT, TEXT, ADDRESS, COUNTED = Identity(), Port(), Text(), Address(), Counted()
