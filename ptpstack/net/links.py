"""Link up and down, as the kernel tells it: route netlink, decoded by pyroute2's ``ifinfmsg`` and nothing else of it.

Rules:

1. The watch is a help, not a need: without netlink or pyroute2 ``LinkWatch.open`` says why, and the node runs without.
2. What was lost is asked for again: after an overrun the whole list of links is requested anew, and only differences
   become events.
3. Names are watched, because that is what configurations hold; an interface that comes back under its name is
   another one (``ifindex``), and its channels must be opened again.

Importing pyroute2 itself costs 90 ms and 24 MB, most of it for tools that a clock has no use for. Its message decoder
alone costs a quarter of that; ``_load_decoder`` gets at it without running the package's ``__init__``.
"""

from __future__ import annotations

import errno
import importlib
import importlib.util
import socket
import struct
import sys
import types
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple

from ptpstack.net.device import IFF_RUNNING, IFF_UP, is_up
from ptpstack.net.layers import parse

_NETLINK_ROUTE = 0
_RTMGRP_LINK = 1
_RTM_NEWLINK = 16
_RTM_DELLINK = 17
_RTM_GETLINK = 18
_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLM_F_REQUEST_DUMP = 0x301
_NLM_F_DUMP_INTR = 0x10
_HEADER = struct.Struct("=IHHII")
_INFO = struct.Struct("=BxHiII")
_SOL_NETLINK = 270
_SO_RCVBUFFORCE = 33
#: Datagrams handled in one ``read``, so that a call is bounded.
_READ_LIMIT = 64


class LinkEvent(NamedTuple):
    """``ifindex`` 0: there is no such interface. ``detail`` is a sentence for people. ``member``: index of the active
    member of a bond, 0 when there is none.
    """

    name: str
    up: bool
    ifindex: int
    detail: str
    member: int = 0


def _load_decoder() -> Any:
    """pyroute2's ``ifinfmsg`` class. ImportError when pyroute2 is not installed."""
    path = "pyroute2.netlink.rtnl.ifinfmsg"
    if "pyroute2" in sys.modules:
        return importlib.import_module(path).ifinfmsg
    spec = importlib.util.find_spec("pyroute2")
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError("pyroute2 is not installed")
    # A bare package object in its place while the decoder loads; taken away afterwards, so that who wants all of
    # pyroute2 still gets it by an ordinary import.
    bare = types.ModuleType("pyroute2")
    bare.__path__ = list(spec.submodule_search_locations)
    sys.modules["pyroute2"] = bare
    try:
        return importlib.import_module(path).ifinfmsg
    except ImportError:
        pass  # another version with other needs: the ordinary way, at its price
    finally:
        del sys.modules["pyroute2"]
    for name in [name for name in sys.modules if name.startswith("pyroute2.")]:
        del sys.modules[name]
    return importlib.import_module(path).ifinfmsg


class LinkWatch:
    """Watches interfaces by name; ``fileno`` is for the selector, ``read`` never blocks."""

    def __init__(self, names: Iterable[str], sock: socket.socket, decoder: Any) -> None:
        self._sock = sock
        self._decoder = decoder
        self._names = list(dict.fromkeys(names))
        #: name -> (up, index, active member); names not yet reported are absent
        self._known: dict[str, tuple[bool, int, int]] = {}
        self._listed: set[str] = set()
        self._listing = self._again = False
        self._sequence = 0
        self.overruns = 0
        self._request_list()

    @classmethod
    def open(cls, names: Iterable[str]) -> tuple[LinkWatch | None, str]:
        """(watch, "") or (None, why there is none: a sentence). The first ``read``s tell the state of every name."""
        try:
            decoder = _load_decoder()
        except Exception as error:  # what a third party's import may raise is not ours to know
            return (
                None,
                f"link changes are not watched: pyroute2's decoder cannot be loaded ({error}); install pyroute2",
            )
        sock = None
        try:
            sock = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, _NETLINK_ROUTE
            )
            with suppress(OSError):  # fewer overruns; only the privileged may
                sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 20)
            sock.bind((0, _RTMGRP_LINK))
            return cls(names, sock, decoder), ""
        except OSError as error:
            if sock is not None:
                sock.close()
            return None, (
                f"link changes are not watched: route netlink is not available here ({error.strerror or error}); "
                "allow AF_NETLINK (systemd: RestrictAddressFamilies=)"
            )

    def watch(self, name: str) -> None:
        """One more name; the next ``read``s tell its state."""
        if name not in self._names:
            self._names.append(name)
            if self._listing:
                self._again = True
            else:
                self._request_list()

    def fileno(self) -> int:
        return self._sock.fileno()

    def read(self) -> list[LinkEvent]:
        """What changed since; [] when nothing did."""
        events: list[LinkEvent] = []
        for _ in range(_READ_LIMIT):
            try:
                octets, (sender, _) = self._sock.recvfrom(65536)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.overruns += 1
                self._again = True
                if not self._listing:
                    self._request_list()
                continue
            if sender == 0:  # the kernel; any process may send to a netlink socket
                self._datagram(octets, events)
        return events

    def close(self) -> None:
        self._sock.close()

    def _request_list(self) -> None:
        self._sequence += 1
        request = _HEADER.pack(_HEADER.size + _INFO.size, _RTM_GETLINK, _NLM_F_REQUEST_DUMP, self._sequence, 0)
        self._listed.clear()
        self._listing, self._again = True, False
        self._sock.send(request + _INFO.pack(0, 0, 0, 0, 0))

    def _datagram(self, octets: bytes, events: list[LinkEvent]) -> None:
        offset = 0
        while offset + _HEADER.size <= len(octets):
            length, kind, flags, sequence, _ = _HEADER.unpack_from(octets, offset)
            if length < _HEADER.size or offset + length > len(octets):
                return
            if flags & _NLM_F_DUMP_INTR and sequence == self._sequence:
                self._again = True
            if kind in (_RTM_NEWLINK, _RTM_DELLINK):
                self._link(kind, octets[offset : offset + length], sequence, events)
            elif kind in (_NLMSG_DONE, _NLMSG_ERROR) and self._listing and sequence == self._sequence:
                self._listing = False
                if self._again or kind == _NLMSG_ERROR:
                    self._request_list()
                else:
                    for name in self._names:
                        if name not in self._listed:
                            self._tell(events, name, False, 0, "there is no such interface")
            offset += (length + 3) & ~3

    def _link(self, kind: int, octets: bytes, sequence: int, events: list[LinkEvent]) -> None:
        family, _, index, flags, _ = _INFO.unpack_from(octets, _HEADER.size)
        # A bridge announces a port that leaves it as a deleted link of family AF_BRIDGE; the interface is still there.
        if family != socket.AF_UNSPEC:
            return
        if kind == _RTM_DELLINK:
            for name in [name for name, (_, known, _) in self._known.items() if known == index]:
                self._tell(events, name, False, 0, "the interface was removed")
            return
        message = self._decoder(octets)
        message.decode()
        name = message.get_attr("IFLA_IFNAME")
        for other in [other for other, (_, known, _) in self._known.items() if known == index and other != name]:
            self._tell(events, other, False, 0, f"the interface was renamed to {name}")
        if name not in self._names:
            return
        if self._listing:
            self._listed.add(name)
        up, before, _ = self._known.get(name, (False, 0, 0))
        if up and before != index:
            self._tell(events, name, False, 0, "the interface was removed and made again")
        layer = parse(octets)
        member = layer.lower if layer.kind == "bond" else 0
        self._tell(events, name, is_up(flags), index, _state(flags, message.get_attr("IFLA_OPERSTATE")), member)

    def _tell(self, events: list[LinkEvent], name: str, up: bool, index: int, detail: str, member: int = 0) -> None:
        if self._known.get(name) != (up, index, member):
            self._known[name] = (up, index, member)
            events.append(LinkEvent(name, up, index, detail, member))


def _state(flags: int, operational: str | None) -> str:
    if not flags & IFF_UP:
        return "the interface is switched off"
    if not flags & IFF_RUNNING:
        return f"the interface is on, the link is down ({(operational or 'unknown').lower()})"
    return "the link is up"
