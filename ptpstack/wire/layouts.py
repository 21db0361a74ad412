"""The fixed part of each message: header and body in one precompiled struct."""

from __future__ import annotations

from struct import Struct

HEADER_OCTETS = 34
MAX_MESSAGE_OCTETS = 0xFFFF

_HEADER = ">BBHBBHqI8sHHBb"
TIMED = Struct(_HEADER + "HII")
TIMED_PADDED = Struct(_HEADER + "HII10s")
RESPONSE = Struct(_HEADER + "HII8sH")
ANNOUNCE = Struct(_HEADER + "HIIhBBBBHB8sHB")
SIGNALING = Struct(_HEADER + "8sH")
MANAGEMENT = Struct(_HEADER + "8sHBBBB")
