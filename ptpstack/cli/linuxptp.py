"""The commands of linuxptp, whose command lines are not argparse's: everything after the name is theirs."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from importlib import import_module

#: modules of ptpstack.linuxptp.commands, imported only when it is used
PROGRAMS = frozenset({"ptp4l", "phc2sys", "ts2phc", "phc_ctl", "hwstamp_ctl"})
_PR_SET_NAME = 15


def run(name: str, arguments: Sequence[str]) -> int:
    """The exit status."""
    # what pgrep, pkill and killall look for
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)
    result: int = import_module(f"ptpstack.linuxptp.commands.{name}").main(arguments)
    return result
