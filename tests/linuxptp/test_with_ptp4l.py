"""The reader against the real one: what ptp4l takes is taken, what it refuses is refused, at the same line."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from ptpstack.config.findings import ConfigError
from ptpstack.linuxptp.keys import keys, renamed
from ptpstack.linuxptp.reader import read_config
from tests import netns
from tests.interop.bench import environment
from tests.linuxptp.test_lint import CLEAN, WRONG
from tests.netns import Namespace

pytestmark = [pytest.mark.interop, pytest.mark.namespaces]

_LINE = re.compile(r"\bline (\d+)")


def _newer(path: Path) -> bool:
    """Whether it names a key that 3.1.1 does not know."""
    words = {line.split()[0] for line in path.read_text().splitlines() if line.strip()}
    newer = {name for name, key in keys().items() if not key.since.startswith("≤")}
    # and 3.1.1 has fewer domains and delay mechanisms
    return bool(words & (newer - set(renamed()))) or path.stem in ("domain-reserved", "mechanism-none")


def _refusal(namespace: Namespace, path: Path, socket: Path) -> int | None:
    """The line at which ptp4l refuses the file; None when it takes it (and ends for want of an interface)."""
    command = ["ptp4l", "-f", str(path), "-m", "-q", "-i", "nosuch", f"--uds_address={socket}"]
    process = namespace.popen(*command, stdout=-1, stderr=-2, env=environment())
    text = process.communicate(timeout=20)[0].decode(errors="replace")
    assert process.returncode != 0
    if "failed to parse configuration file" not in text:
        return None
    match = _LINE.search(text)
    assert match, text
    return int(match[1])


@pytest.fixture(scope="module")
def namespace() -> Namespace:
    if shutil.which("ptp4l", path=environment()["PATH"]) is None:
        pytest.skip("not installed: ptp4l (Debian: linuxptp)")
    reason = netns.unavailable()
    if reason is not None:
        pytest.skip(reason)
    return Namespace("reader")


def test_ptp4l_agrees(namespace: Namespace, tmp_path: Path) -> None:
    seen = 0
    for path in (*WRONG, *CLEAN):
        if _newer(path):
            continue
        try:
            read_config(path)
            ours = None
        except ConfigError as error:
            ours = error.findings[0].line
        assert (path.name, _refusal(namespace, path, tmp_path / "uds")) == (path.name, ours)
        seen += 1
    assert seen > 100
