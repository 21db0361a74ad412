"""The network of a lab: one namespace for each host and switch, veth pairs between them, bridges as switches.

A namespace lives as long as the process that holds it; the holder dies with the runner (``process.spawn``), and the
kernel then removes namespace, veths and bridges. veth pairs are made inside the namespaces they belong to, both ends at
once, so no interface is ever seen in the host's own namespace.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from ptpstack.lab import linux
from ptpstack.lab.errors import LabError
from ptpstack.lab.process import Child, spawn
from ptpstack.lab.rundir import RunDirectory
from ptpstack.lab.topology import Topology

_BRIDGE = "br0"


class Network:
    """The namespaces of one lab. ``close`` ends the holders; so does the runner's death."""

    def __init__(self, topology: Topology, run: RunDirectory) -> None:
        self._topology = topology
        self._holders: dict[str, Child] = {}
        #: (switch, port) of each (host, interface) on a switch
        self.switch_ports: dict[tuple[str, str], tuple[str, str]] = {}
        try:
            self._hold(run)
            self._wire()
        except BaseException:
            self.close()
            raise

    def pid(self, name: str) -> int:
        """The process that holds the namespace of a host or switch: ``nsenter -t PID -n`` goes there."""
        return self._holders[name].pid

    def set_link(self, host: str, interface: str, *, up: bool) -> None:
        """Administratively up or down, at the host's end. LabError when the kernel refuses."""
        with self._netlink(host) as netlink, _explained(f"{host}: set {interface} {'up' if up else 'down'}"):
            netlink.link("set", index=_index(netlink, interface), state="up" if up else "down")

    def close(self) -> None:
        for holder in self._holders.values():
            holder.reap(0.0)
        self._holders.clear()

    def _hold(self, run: RunDirectory) -> None:
        sleep = shutil.which("sleep")
        if sleep is None:
            raise LabError("there is no `sleep` program in PATH, which holds the lab's namespaces. Install coreutils")
        for name in [*self._topology.switches, *(host.name for host in self._topology.hosts)]:
            self._holders[name] = spawn(
                run,
                f"namespace {name}",
                # the largest number that every implementation takes; it ends with the runner, long before
                [sleep, "2147483647"],
                enter=lambda: linux.unshare(linux.CLONE_NEWNET),
            )

    @contextlib.contextmanager
    def _netlink(self, name: str) -> Iterator[Any]:
        with linux.inside_network(self._holders[name].pid):
            netlink = IPRoute()
        try:
            yield netlink
        finally:
            netlink.close()

    def _wire(self) -> None:
        with contextlib.ExitStack() as stack:
            sockets = {name: stack.enter_context(self._netlink(name)) for name in self._holders}
            for name, netlink in sockets.items():
                with linux.inside_network(self._holders[name].pid):
                    _quiet_ipv6(off=name in self._topology.switches)
                with _explained(f"{name}: lo up"):
                    netlink.link("set", index=1, state="up")
            for switch in self._topology.switches:
                with _explained(f"{switch}: bridge"):
                    self._make_bridge(sockets[switch])
            made: set[tuple[str, str]] = set()
            for host in self._topology.hosts:
                for link in host.links:
                    if (host.name, link.interface) in made:
                        continue
                    made.add((host.name, link.interface))
                    end = {"ifname": link.interface, "address": link.mac.hex(":"), "net_ns_pid": self.pid(host.name)}
                    with _explained(f"{host.name}: link {link.interface}"):
                        if link.switch is not None:
                            port = f"p{len(self.switch_ports) + 1}"
                            self._plug(sockets[link.switch], port, end)
                            self.switch_ports[host.name, link.interface] = (link.switch, port)
                        elif link.peer is not None:
                            made.add(link.peer)
                            far = next(
                                x for x in self._topology.host(link.peer[0]).links if x.interface == link.peer[1]
                            )
                            sockets[link.peer[0]].link(
                                "add", ifname=far.interface, kind="veth", address=far.mac.hex(":"), peer=end
                            )
            for host in self._topology.hosts:
                for link in host.links:
                    with _explained(f"{host.name}: address {link.address} on {link.interface}"):
                        self._address(sockets[host.name], link.interface, link.address)

    def _make_bridge(self, netlink: Any) -> None:
        # a switch that just forwards: multicast without a querier would be cut off by snooping, and a forward delay
        # would keep ports deaf for 15 s
        netlink.link("add", ifname=_BRIDGE, kind="bridge", br_forward_delay=0, br_stp_state=0, br_mcast_snooping=0)
        netlink.link("set", index=_index(netlink, _BRIDGE), state="up")

    def _plug(self, netlink: Any, port: str, end: dict[str, Any]) -> None:
        netlink.link("add", ifname=port, kind="veth", peer=end)
        netlink.link("set", index=_index(netlink, port), master=_index(netlink, _BRIDGE), state="up")

    def _address(self, netlink: Any, interface: str, address: str) -> None:
        ip, _, prefix = address.partition("/")
        index = _index(netlink, interface)
        netlink.addr("add", index=index, address=ip, prefixlen=int(prefix))
        netlink.link("set", index=index, state="up")
        # PTP's groups are 224.0.1.129 and 224.0.0.107: a socket that names no interface needs a way there
        if index == min(_index(netlink, link) for link in _links(netlink)):
            netlink.route("add", dst="224.0.0.0/4", oif=index)


def _links(netlink: Any) -> list[str]:
    names = [str(link.get_attr("IFLA_IFNAME")) for link in netlink.get_links()]
    return [name for name in names if name != "lo"]


def _index(netlink: Any, interface: str) -> int:
    found = netlink.link_lookup(ifname=interface)
    if not found:
        raise LabError(f"the namespace has no interface {interface!r}; it has {', '.join(_links(netlink)) or 'none'}")
    return int(found[0])


def _quiet_ipv6(off: bool) -> None:
    """Of IPv6 nothing but a link-local address at once (or nothing), for links made from now on in this namespace.

    No check for duplicates, which takes seconds, and no search for routers between PTP frames.
    """
    for which in ("all", "default"):
        for setting in ("disable_ipv6",) if off else ("accept_dad", "accept_ra", "router_solicitations"):
            with contextlib.suppress(OSError):
                Path(f"/proc/sys/net/ipv6/conf/{which}/{setting}").write_text(str(int(off)))


@contextlib.contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except NetlinkError as error:
        hints = {
            errno.EOPNOTSUPP: "The kernel lacks veth or bridge: load these modules",
            errno.EPERM: "The lab needs CAP_NET_ADMIN in its own user namespace, or root",
        }
        hint = hints.get(error.code, "See the kernel's log")
        raise LabError(f"{what}: the kernel answered {errno.errorcode.get(error.code, error.code)}. {hint}") from error
