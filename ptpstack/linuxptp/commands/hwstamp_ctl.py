"""``hwstamp_ctl -i IF [-t TYPE] [-r FILTER]``: what an interface's hardware time stamping is set to, and setting it."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

from ptpstack.linuxptp.commands import common
from ptpstack.linuxptp.commands.common import FAILED, Usage
from ptpstack.net import abilities
from ptpstack.net.abilities import FILTER_NAMES, TX_NAMES, HardwareConfig
from ptpstack.net.channel import ChannelError

_ROWS = "".join(f"              {number:2} {name}\n" for number, name in enumerate(FILTER_NAMES))
USAGE = f"""\
usage: hwstamp_ctl -i IF [-t 0|1] [-r FILTER]

  -i IF      interface
  -t TYPE    transmit: 0 off, 1 on (2, 3: one-step, if the driver has it)
  -r FILTER  which received frames are stamped:
{_ROWS}\
  -v         version
  -h         this text
Without -t and -r it only shows. The driver may set more than was asked for; what it set is shown.
"""


def main(arguments: Sequence[str]) -> int:
    """0 done, the error's number when the driver refuses, 255 for a wrong command line."""
    try:
        given, rest = common.options(arguments, "i:t:r:vh")
        flags = dict(given)
        if "-v" in flags:
            return common.show_version()
        if "-h" in flags:
            raise Usage
        if rest or "-i" not in flags:
            raise Usage("which interface? Such as hwstamp_ctl -i eth0")
        wanted = tuple(
            common.whole(flag, flags[flag], 0, most) if flag in flags else None
            for flag, most in (("-t", len(TX_NAMES) - 1), ("-r", len(FILTER_NAMES) - 1))
        )
    except Usage as error:
        return common.ran("hwstamp_ctl", USAGE, error)
    change = wanted != (None, None)
    found, status = _step("SIOCGHWTSTAMP", "current settings:", flags["-i"], None, change)
    if change and status in (0, errno.EOPNOTSUPP, errno.ENOTTY):
        # what is not given stays as it is
        tx_type, rx_filter = (given if given is not None else now for given, now in zip(wanted, found, strict=True))
        _, status = _step("SIOCSHWTSTAMP", "new settings:", flags["-i"], HardwareConfig(tx_type, rx_filter), False)
    return status


def _step(
    call: str, title: str, interface: str, wanted: HardwareConfig | None, goes_on: bool
) -> tuple[tuple[int, int], int]:
    """((tx_type, rx_filter), exit status)."""
    try:
        found = abilities.read(interface) if wanted is None else abilities.write(interface, wanted)
    except ChannelError as error:
        print(f"hwstamp_ctl: {error}", file=sys.stderr)
        return (0, 0), FAILED
    except OSError as error:
        number = error.errno or errno.EIO
        print(f"{call} failed: {os.strerror(number)}", file=sys.stderr)
        if number == errno.EOPNOTSUPP and not goes_on:
            print(f"{interface} stamps nothing in hardware (`ptpstack interfaces` shows what it can)", file=sys.stderr)
        if number == errno.ERANGE:
            print("the driver does not offer that; `ptpstack interfaces` shows what it does", file=sys.stderr)
        return (0, 0), number
    print(f"{title}\ntx_type {found.tx_type}\nrx_filter {found.rx_filter}")
    return (found.tx_type, found.rx_filter), 0
