"""Where the outside test data are: $PTPSTACK_TEST_DATA, else shared/data beside a parent of this repository."""

import os
from pathlib import Path

import pytest


def data_folder(name: str) -> Path:
    """The named folder of the test data; skips the test, visibly, when it is not there."""
    stated = os.environ.get("PTPSTACK_TEST_DATA")
    candidates = [Path(stated)] if stated else [p / "shared" / "data" for p in Path(__file__).resolve().parents]
    for candidate in candidates:
        if (candidate / name).is_dir():
            return candidate / name
    pytest.skip(f"no test data {name!r}: set PTPSTACK_TEST_DATA")
