"""Debian's example configurations: real ptp4l from the file itself, ptpstack from what import makes of it, both roles.

Beside the file ptp4l gets what the place needs: interfaces, software stamps, ``free_running`` (it may set no clock), a
socket, and the priority that decides who is master. Import is given the same options. Only the clock of ours is then a
simulated one, so that the truth is known.
"""

from __future__ import annotations

import statistics
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ptpstack.config.dump import dump_document
from ptpstack.config.findings import ConfigError
from ptpstack.linuxptp.importer import Imported, import_settings
from ptpstack.linuxptp.importing import gptp
from ptpstack.linuxptp.reader import parse_config, read_config
from ptpstack.linuxptp.settings import Settings, option, short
from tests.interop.bench import Bench, Node, Outcome, Process, Ptp4l, need_peers, together, until
from tests.netns import Namespace, veth

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.slow]

EXAMPLES = Path("/usr/share/doc/linuxptp/configs")
GPTP = ("gPTP.cfg", "automotive-master.cfg", "automotive-slave.cfg")
#: files that ptpstack refuses, with the key that it names
REFUSED = {} if gptp.built() else dict.fromkeys(GPTP, "follow_up_info")
#: software stamps measure more than the 800 ns of these files
FAR = {"neighborPropDelayThresh": 1_000_000}
#: on a wire of their own, either as master and as client
PAIRS = ("default.cfg", "G.8275.1.cfg", "G.8265.1.cfg", "G.8275.2.cfg")
BRIDGES = ("E2E-TC.cfg", "P2P-TC.cfg")
#: of 802.1AS
BUILT = ("gPTP.cfg", "automotive") if gptp.built() else ()
#: those of unicast name no master: what a client of them needs
TABLE = "\n[unicast_master_table]\ntable_id 1\nUDPv4 192.168.1.11\n[{}]\nunicast_master_table 1\n"
UNICAST = ("G.8265.1.cfg", "G.8275.2.cfg")
WITHIN_S = 45.0
#: a line of the log for each measurement
_TOLD = {"summary_interval": -7, "freq_est_interval": 0}
#: kernel stamps on a wire of memory, on a machine that is busy
NEAR_NS = 200_000.0
UTC_NS = 37e9


def example(name: str) -> str:
    path = EXAMPLES / name
    if not path.exists():
        pytest.skip(f"{path} is not installed (Debian: linuxptp)")
    return path.read_text()


def imported(text: str, interfaces: list[str], **options: Any) -> Imported:
    given = [short("S"), option("free_running", "1")]
    given += [option(key, str(value)) for key, value in options.items()]
    return import_settings([Settings(parse_config(text.encode(), "x.cfg"), interfaces, given)], management=False)


def ours(bench: Bench, namespace: Namespace, text: str, interfaces: list[str], **options: Any) -> Node:
    off = 1e6 if options["priority1"] == FOLLOWS["priority1"] else 0.0
    result = imported(text, interfaces, **options)
    assert result.refused == []
    document = result.document
    assert document.get("clock", [{}])[0].get("steer") is not True
    document["clock"] = [{"name": "clock", "type": "simulated", "oscillator": "tcxo", "initial_error_ns": off}]
    return bench.site(namespace, dump_document(document)).ready()


class FromFile(Ptp4l):
    """ptp4l from a file as it is."""

    def __init__(self, bench: Bench, namespace: Namespace, text: str, interfaces: list[str], **options: Any) -> None:
        folder, name = bench.folder, f"ptp4l-{namespace.name}"
        self.namespace, self.uds = namespace, str(folder / f"{name}.uds")
        config = folder / f"{name}.cfg"
        config.write_text(text)
        settings = {"free_running": 1, "uds_address": self.uds, "tx_timestamp_timeout": 500, **_TOLD, **options}
        words = [f"--{key}={value}" for key, value in settings.items()]
        ports = [word for name in interfaces for word in ("-i", name)]
        command = ["ptp4l", "-f", str(config), "-m", "-S", "-l", "6", *ports, *words]
        Process.__init__(self, command, namespace, folder / f"{name}.log")
        bench._running(self)


def line(bench: Bench) -> tuple[Namespace, Namespace]:
    """A server at the address that the file of clients names, and a client, which has a second interface."""
    server, client = bench.namespace("server"), bench.namespace("client")
    veth(server, "va", client, "eth0", "192.168.1.11/24", "192.168.1.1/24")
    veth(server, "vb", client, "eth1", "192.168.9.11/24", "192.168.9.1/24", wait=False)
    return server, client


SERVES: dict[str, Any] = {"priority1": 100, "priority2": 100}
FOLLOWS: dict[str, Any] = {"priority1": 200, "priority2": 200}


def follows(client: Node | Ptp4l) -> float:
    """How far off the client is once it follows: ours against the truth, ptp4l by its own measurements; ns."""
    if isinstance(client, Node):
        until("our lock", client.locked, WITHIN_S)
        # a boundary clock takes and hands on an arbitrary scale as it is
        return client.error_ns() + (UTC_NS if len(client.port_states()) > 1 else 0.0)
    until("measurements of ptp4l", lambda: len(client.offsets()) >= 3, WITHIN_S)
    return statistics.median(offset for offset, _ in client.offsets())


def pair(
    server_text: str, client_text: str, interfaces: list[str], more: dict[str, Any], ours_serves: bool, bench: Bench
) -> float:
    server, client = line(bench)
    if ours_serves:
        ours(bench, server, server_text, ["va"], **SERVES, **more)
        return follows(FromFile(bench, client, client_text, interfaces, **FOLLOWS, **more))
    FromFile(bench, server, server_text, ["va"], **SERVES, **more)
    return follows(ours(bench, client, client_text, interfaces, **FOLLOWS, **more))


def between(name: str, ours_is_it: bool, bench: Bench) -> float:
    """A transparent clock between two ends of default.cfg on Ethernet; the other side has the ends."""
    gm, tc, oc = (bench.namespace(name) for name in ("gm", "tc", "oc"))
    veth(gm, "g", tc, "t1", "10.66.0.1/24", "10.66.1.9/24")
    veth(oc, "o", tc, "t2", "10.66.0.2/24", "10.66.2.9/24")
    file, ends = example(name), example("default.cfg")
    more = {"network_transport": "L2", "delay_mechanism": name[:3]}
    at_gm, at_oc = SERVES | more, FOLLOWS | more
    if not ours_is_it:
        FromFile(bench, tc, file, ["t1", "t2"])
        ours(bench, gm, ends, ["g"], **at_gm)
        return follows(ours(bench, oc, ends, ["o"], **at_oc))
    result = imported(file, ["t1", "t2"])
    assert result.refused == []
    bench.site(tc, result.text).ready()
    FromFile(bench, gm, ends, ["g"], **at_gm)
    return follows(FromFile(bench, oc, ends, ["o"], **at_oc))


def scenarios() -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name in PAIRS:
        text = example(name)
        client = text + (TABLE.format("eth0") if name in UNICAST else "")
        for ours_serves in (True, False):
            made[f"{name}-{'served' if ours_serves else 'followed'}"] = partial(
                pair, text, client, ["eth0"], {}, ours_serves
            )
    server, client = example("UNICAST-MASTER.cfg"), example("UNICAST-SLAVE.cfg")
    for ours_serves in (True, False):
        role = "served" if ours_serves else "followed"
        made[f"UNICAST-{role}"] = partial(pair, server, client, [], {}, ours_serves)
        if gptp.built():
            ends = [example(name) for name in GPTP]
            made[f"gPTP.cfg-{role}"] = partial(pair, ends[0], ends[0], ["eth0"], FAR, ours_serves)
            made[f"automotive-{role}"] = partial(pair, ends[1], ends[2], ["eth0"], FAR, ours_serves)
        for name in BRIDGES:
            made[f"{name}-{'ours' if ours_serves else 'ptp4l'}"] = partial(between, name, ours_serves)
    return made


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    need_peers()
    return together(scenarios(), tmp_path_factory.mktemp("files"), at_once=16)


@pytest.mark.parametrize(
    "name",
    [
        *(f"{name}-{role}" for name in (*PAIRS, "UNICAST", *BUILT) for role in ("served", "followed")),
        *(f"{name}-{who}" for name in BRIDGES for who in ("ours", "ptp4l")),
    ],
)
def test_synchronises(outcomes: dict[str, Outcome], name: str) -> None:
    # without Announce nobody is told which time scale it is
    right_ns = -UTC_NS if name.startswith("automotive") else 0.0
    assert abs(outcomes[name].get() - right_ns) < NEAR_NS


@pytest.mark.parametrize("name", ["ts2phc-generic.cfg", "ts2phc-TC.cfg"])
def test_pulses_are_imported_with_the_ptp4l_beside_them(name: str) -> None:
    """Hardware only: neither ts2phc nor ptpstack has a pulse here."""
    pulses = parse_config(example(name).encode(), name)
    file = parse_config(example("default.cfg").encode(), "default.cfg")
    interface = next(port for port in pulses.ports if port != "eth6" or len(pulses.ports) == 1)
    alone = import_settings([Settings(pulses)])
    assert [f.severity for f in alone.refused] == ["error"]
    result = import_settings([Settings(file, [interface]), Settings(pulses)])
    assert result.refused == []
    assert result.document["instance"][0]["reference"]["type"] == "pps"


def test_every_file_of_the_package_is_accounted_for() -> None:
    for name, key in REFUSED.items():
        assert [f.path.split()[0] for f in imported(example(name), ["eth0"]).refused] == [key]
    example("default.cfg")
    known = {*PAIRS, *GPTP, *BRIDGES, "UNICAST-MASTER.cfg", "UNICAST-SLAVE.cfg"}
    known |= {"ts2phc-generic.cfg", "ts2phc-TC.cfg"}
    assert {path.name for path in EXAMPLES.glob("*.cfg")} == known
    # of snmpd and of timemaster: no configuration of ptp4l, and refused by linuxptp too
    for path in (EXAMPLES / "snmpd.conf", Path("/etc/linuxptp/timemaster.conf")):
        with pytest.raises(ConfigError):
            read_config(path)


def test_hardware_stamps_that_are_not_there_are_refused_by_both(tmp_path: Path) -> None:
    """default.cfg asks for hardware; a virtual cable has none."""
    need_peers()
    text = example("default.cfg")
    with Bench(tmp_path) as bench:
        a, b = bench.namespace("a"), bench.namespace("b")
        veth(a, "va", b, "vb", "10.9.0.1/24", "10.9.0.2/24")
        theirs = bench.run_beside(a, ["ptp4l", "-f", str(EXAMPLES / "default.cfg"), "-i", "va", "-m"], "theirs")
        result = import_settings([Settings(parse_config(text.encode(), "x"), ["vb"])], management=False)
        node = bench.site(b, result.text)
        assert theirs.wait() != 0
        assert node.wait() != 0
        assert "hardware" in node.text()
