"""Which options that live on Announce an instance was asked for."""

from __future__ import annotations

from ptpstack.protocol.alternate_time import AlternateTimes
from ptpstack.protocol.announce_options import AnnounceOption
from ptpstack.protocol.options import InstanceOptions
from ptpstack.protocol.path_trace import PathTracing
from ptpstack.protocol.power_profile import PowerInaccuracy


def announce_options(options: InstanceOptions) -> tuple[AnnounceOption, ...]:
    """In the order in which their TLVs stand on Announce."""
    wanted: list[AnnounceOption] = []
    if options.power is not None:
        # no other TLV may stand before it
        wanted.append(PowerInaccuracy(options.power))
    if options.path_trace:
        wanted.append(PathTracing(options.clock_identity))
    if options.alternate_timescales:
        wanted.append(AlternateTimes(options.alternate_timescales))
    return tuple(wanted)
