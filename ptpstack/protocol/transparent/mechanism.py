"""What an end-to-end and a peer-to-peer transparent clock do each in its own way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ptpstack.protocol.timers import NEVER
from ptpstack.protocol.transparent.passage import Handler, Port

if TYPE_CHECKING:
    from ptpstack.protocol.transparent.clock import TransparentClock


class Mechanism:
    #: by messageType
    handlers: Mapping[int, Handler] = {}

    def __init__(self, clock: TransparentClock) -> None:
        self.clock = clock

    def link_delay_sns(self, port: Port) -> int | None:
        """What a Sync that comes by ``port`` has to carry for the link before it; None: that is not known."""
        return 0

    def start(self, now: int) -> None:
        """The first of all calls."""

    def link(self, port: Port, now: int) -> None:
        """``port.up`` has changed."""

    def clock_stepped(self) -> None:
        """Stamps from before mean nothing after."""

    def timer(self, now: int) -> None:
        """Do what is due."""

    @property
    def due(self) -> int:
        return NEVER

    def status(self, port: Port) -> dict[str, Any]:
        """What a port shows besides, JSON-ready."""
        return {}
