"""A shell script written for linuxptp runs with Debian's programs, and unchanged with ours in their place."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ptpstack.linuxptp.commands import shims
from tests.interop.bench import Bench, Process, environment, need_peers, until
from tests.interop.peers import UNTOUCHED
from tests.netns import Namespace, veth

pytestmark = [pytest.mark.interop, pytest.mark.namespaces]

SCRIPT = Path(__file__).with_name("ptp4l_script.sh")


def places(bench: Bench) -> dict[str, Namespace]:
    """Three machines on one switch."""
    switch = bench.namespace("switch")
    switch.ip("link add br0 type bridge mcast_snooping 0")
    switch.ip("link set br0 up")
    made = {}
    for number, name in enumerate(("FIRST", "SECOND", "CLIENT"), 1):
        made[name] = bench.namespace(name.lower())
        veth(switch, f"port{number}", made[name], "eth0", "", f"10.78.0.{number}/24")
        switch.ip(f"link set port{number} master br0")
    return made


#: what both know; where the versions differ (what 3.1.1 does not ask for), docs/linuxptp-commands.md says how
SAME = (
    *("CLOCK_DESCRIPTION", "DEFAULT_DATA_SET", "CURRENT_DATA_SET", "PARENT_DATA_SET", "TIME_PROPERTIES_DATA_SET"),
    *("PORT_DATA_SET", "PRIORITY1", "PRIORITY2", "DOMAIN", "LOG_ANNOUNCE_INTERVAL", "LOG_SYNC_INTERVAL"),
    *("ANNOUNCE_RECEIPT_TIMEOUT", "VERSION_NUMBER", "CLOCK_ACCURACY", "TRACEABILITY_PROPERTIES", "DELAY_MECHANISM"),
    *(
        "LOG_MIN_PDELAY_REQ_INTERVAL",
        "TIME_STATUS_NP",
        "GRANDMASTER_SETTINGS_NP",
        "PORT_DATA_SET_NP",
        "NULL_MANAGEMENT",
    ),
    *("PORT_PROPERTIES_NP", "PORT_STATS_NP", "SYNCHRONIZATION_UNCERTAIN_NP"),
)


def test_pmc_writes_what_debians_writes(tmp_path: Path) -> None:
    """Octet for octet, of a ptp4l of theirs and of a ptp4l of ours."""
    need_peers()
    shims.install(str(tmp_path / "bin"))
    with Bench(tmp_path) as bench:
        there = bench.namespace("there")
        veth(there, "eth0", there, "eth1", "10.79.0.1/24")
        for whose, folder in (("debian", None), ("ours", tmp_path / "bin")):
            path = environment()["PATH"] if folder is None else f"{folder}:{environment()['PATH']}"
            socket = tmp_path / f"{whose}.uds"
            # a client without a master: nothing changes meanwhile
            words = f"ptp4l -S -s -i eth0 -m -q --uds_address={socket} --tx_timestamp_timeout=500".split()
            daemon = Process(["env", f"PATH={path}", *UNTOUCHED, *words], there, tmp_path / f"{whose}.log")
            bench._running(daemon)
            until("its socket", socket.exists, 20.0)
            requests = [f"GET {name}" for name in SAME]
            said = []
            for program in ("/usr/sbin/pmc", str(tmp_path / "bin" / "pmc")):
                done = there.run(program, "-u", "-b", "0", "-s", str(socket), *requests)
                said.append(sorted(re.sub(r"seq \d+", "seq", done.stdout).splitlines()))
            assert said[0] == said[1], daemon.text()
            assert len(said[0]) > 100
            daemon.stop()


@pytest.mark.parametrize("whose", ["debian", "ours"])
def test_the_script_runs(whose: str, tmp_path: Path) -> None:
    need_peers()
    path = environment()["PATH"]
    if whose == "ours":
        assert {done.what for done in shims.install(str(tmp_path / "bin"))} == {"installed"}
        path = f"{tmp_path / 'bin'}:{path}"
    folder = tmp_path / "run"
    folder.mkdir()
    with Bench(tmp_path) as bench:
        namespaces = places(bench)
        # nobody in here may set the clock of this machine
        inside = {
            name: shlex.join(["nsenter", f"--net={namespace.path}", *UNTOUCHED])
            for name, namespace in namespaces.items()
        }
        log = tmp_path / "script.log"
        script = Process(["bash", str(SCRIPT), str(folder)], namespaces["CLIENT"], log, PATH=path, **inside)
        bench._running(script)
        until("the end of the script", lambda: not script.alive(), 120.0)
        logs = "".join(f"\n--- {each.name}\n{each.read_text()[-2500:]}" for each in sorted(folder.glob("*.log")))
        assert script.popen.returncode == 0, script.text() + logs
        assert script.text().endswith("done\n")
        ours = "ptpstack" in (folder / "client.log").read_text()
        assert ours == (whose == "ours"), logs


_PORT = re.compile(r"^ptp4l\[[\d.]+\]: port 1(?: \(eth0\))?: (\w+ to \w+ on \w+)", re.MULTILINE)
_MASTER = re.compile(r"^ptp4l\[[\d.]+\]: (selected best master clock [0-9a-f.]+)$", re.MULTILINE)


def transitions(client: Process) -> list[str]:
    """Of its port, without those of a servo that a busy machine has thrown off for a moment."""
    found = _PORT.findall(client.text())
    off = [at for at, what in enumerate(found) if what.endswith(" SYNCHRONIZATION_FAULT")]
    return [what for at, what in enumerate(found) if at not in off and at - 1 not in off]


def test_both_log_the_same_run(tmp_path: Path) -> None:
    """Two clients of one grandmaster, a ptp4l of theirs and a ptp4l of ours: the same states, for the same reasons."""
    need_peers()
    shims.install(str(tmp_path / "bin"))
    fast = "-S -m -q --logAnnounceInterval=-2 --logSyncInterval=-3 --logMinDelayReqInterval=-3 --summary_interval=-3 "
    fast += "--tx_timestamp_timeout=500 --pi_proportional_const=0.7 --pi_integral_const=0.3 -i eth0"
    with Bench(tmp_path) as bench:
        where = places(bench)

        def start(name: str, program: str, namespace: Namespace, more: str) -> Process:
            words = [*UNTOUCHED, program, *fast.split(), *more.split(), f"--uds_address={tmp_path}/{name}"]
            process = Process(words, namespace, tmp_path / f"{name}.log")
            bench._running(process)
            return process

        ours = start("ours", str(tmp_path / "bin" / "ptp4l"), where["FIRST"], "-s")
        theirs = start("theirs", "/usr/sbin/ptp4l", where["SECOND"], "-s")
        master = start("master", "/usr/sbin/ptp4l", where["CLIENT"], "--priority1=10")
        for client in (ours, theirs):
            until("SLAVE", lambda client=client: "to SLAVE" in client.text(), 30.0)
            until("offsets", lambda client=client: client.text().count(" master offset ") > 20, 30.0)
        master.stop()
        for client in (ours, theirs):
            until("LISTENING again", lambda client=client: "SLAVE to LISTENING" in client.text(), 30.0)
        assert transitions(ours) == transitions(theirs)
        assert _MASTER.findall(ours.text()) == _MASTER.findall(theirs.text())
        line = re.compile(r"^ptp4l\[\d+\.\d{3}\]: master offset +-?\d+ s2 freq +[-+]\d+ path delay +\d+$", re.MULTILINE)
        lengths = [{len(row.partition(": ")[2]) for row in line.findall(client.text())} for client in (ours, theirs)]
        # the same columns
        assert lengths[0] == lengths[1] == {61}
