"""Fixtures for all rooms."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real captures and logs, which the repository does not carry: $PTPSTACK_TEST_DATA, else
    ``../shared/data`` beside the repository. Tests that need it skip where it is absent."""
    named = os.environ.get("PTPSTACK_TEST_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[1].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder} (set PTPSTACK_TEST_DATA)")
    return folder


#: Set in CI: a test that builds namespaces or runs a foreign daemon may not be skipped there.
NO_SKIPS = bool(os.environ.get("PTPSTACK_NO_SKIPS"))
#: In the hardware rig's guest (tools/hil) everything is there that a hardware test needs.
IN_THE_GUEST = bool(os.environ.get("HIL"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    outcome = yield
    report = outcome.get_result()
    kinds = (("interop", "namespaces") if NO_SKIPS else ()) + (("hardware",) if IN_THE_GUEST else ())
    if report.skipped and any(item.get_closest_marker(m) for m in kinds):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which may not be here: {report.longrepr}"
