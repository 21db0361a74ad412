"""Fixtures for all rooms."""

from __future__ import annotations

import os
from pathlib import Path

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
