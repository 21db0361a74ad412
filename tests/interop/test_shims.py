"""A shell script written for linuxptp runs with Debian's programs, and unchanged with ours in their place."""

from __future__ import annotations

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
