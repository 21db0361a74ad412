"""Which time masters serve: currentUtcOffset and leap flags against the leap second table, their time against this
machine's clock and against each other; errors of whole hours, of 37 s, of GPS time are recognised.

Each master's time is taken from its Syncs and the kernel's arrival stamps: a network's delay does not matter here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from ptpstack.doctor.findings import ERROR, NOTE, OK, WARNING, Finding, kind
from ptpstack.doctor.traffic.census import Census, Speaker
from ptpstack.timebase.leap import LeapTable
from ptpstack.timebase.units import NS_PER_S
from ptpstack.wire.messages import Announce
from ptpstack.wire.types import Flag

UTC_OFFSET_WRONG = kind(
    "utc-offset-wrong",
    ERROR,
    "A master announces a wrong currentUtcOffset",
    "Clients that show UTC are off by the difference. Correct the master's leap second table or its setting "
    "(linuxptp: utc_offset; `pmc SET GRANDMASTER_SETTINGS_NP`).",
)
UTC_OFFSET_INVALID = kind(
    "utc-offset-invalid",
    NOTE,
    "A master does not vouch for its currentUtcOffset",
    "currentUtcOffsetValid is not set: careful clients do not derive UTC from it. Feed the master a leap second table "
    "(linuxptp: `pmc SET GRANDMASTER_SETTINGS_NP ... currentUtcOffsetValid 1`).",
)
UTC_OFFSET_DISAGREEMENT = kind(
    "utc-offset-disagreement",
    ERROR,
    "Masters announce different currentUtcOffsets",
    "At a change of master UTC jumps by the difference: correct the one that is wrong.",
)
ARBITRARY = kind(
    "arbitrary-timescale",
    NOTE,
    "A master serves an arbitrary time scale",
    "ptpTimescale is not set: nothing says what its seconds mean, and UTC cannot be derived. linuxptp does so with "
    "software stamps (its system clock counts UTC).",
)
LEAP_FLAG = kind(
    "leap-flag-unexpected",
    WARNING,
    "A master announces a leap second that the table does not know",
    "Clients will insert or delete a second at the end of the UTC day. Check IERS Bulletin C, then the master's table.",
)
LEAP_FLAGS_BOTH = kind(
    "leap-flags-both",
    ERROR,
    "A master sets leap59 and leap61 at once",
    "They exclude each other: the master is broken.",
)
WHOLE_HOURS = kind(
    "master-whole-hours-off",
    ERROR,
    "A master is off by whole hours",
    "It was set to local time and not to UTC, or with the wrong time zone or daylight saving. Set the master's clock "
    "by "
    "UTC.",
)
MASTER_ON_UTC = kind(
    "master-37-seconds-off",
    ERROR,
    "A master is off by TAI - UTC",
    "Behind: it serves UTC and calls it PTP time; ahead: the offset was added twice. Look at phc2sys -O / -w, ts2phc, "
    "timescale settings, and at who set the master's clock.",
)
MASTER_ON_GPS = kind(
    "master-on-gps-time",
    ERROR,
    "A master is off as GPS time is",
    "It serves GPS time (TAI - 19 s), or took leap seconds of GPS (18 s) for those of TAI. Correct the receiver's time "
    "scale.",
)
ONE_SECOND = kind(
    "master-one-second-off",
    ERROR,
    "A master is off by one second",
    "A leap second table too old or a second labelled wrongly (which pulse belongs to which sentence of the receiver).",
)
TIME_DIFFERS = kind(
    "master-differs",
    WARNING,
    "A master and this machine's clock differ",
    "One of them is wrong: compare with a third (NTP, another master) before following it.",
)
MACHINE_DIFFERS = kind(
    "this-machine-differs",
    WARNING,
    "This machine's clock differs from masters that agree",
    "Set this machine's clock (NTP, or let it follow PTP): it is the odd one out.",
)
MASTERS_AGREE = kind("time-agrees", OK, "Masters and this machine's clock agree")

#: differences below this are for servos, not for doctors: s
_FINE_S = 0.1
_HALF_HOUR = 1800


@dataclass(frozen=True, slots=True)
class Time:
    """What to compare with. ``declared``: the kernel calls the system clock synchronised."""

    leap: LeapTable
    now_s: int
    declared: bool = False


def judge(census: Census, time: Time) -> list[Finding]:
    found: list[Finding] = []
    masters = census.masters()
    for master in masters:
        if master.announce is not None:
            found += _announced(master, master.announce, time)
    found += _disagreement(masters)
    found += _times(masters, time)
    return found


def _announced(master: Speaker, announce: Announce, time: Time) -> Iterator[Finding]:
    where = str(master.place)
    known = time.leap.tai_minus_utc(time.now_s)
    fresh = time.leap.status(time.now_s).usable
    valid = bool(announce.flags & Flag.CURRENT_UTC_OFFSET_VALID)
    if not announce.flags & Flag.PTP_TIMESCALE:
        yield ARBITRARY(where, f"{master}: ptpTimescale FALSE")
    elif announce.current_utc_offset != known:
        text = f"{master}: {announce.current_utc_offset} s ({'valid' if valid else 'not called valid'})"
        severity = (None if valid else WARNING) if fresh else NOTE
        yield UTC_OFFSET_WRONG(
            where, f"{text}; the leap second table ({time.leap.source}) has {known} s", severity=severity
        )
    elif not valid:
        yield UTC_OFFSET_INVALID(where, f"{master}: {announce.current_utc_offset} s, currentUtcOffsetValid FALSE")
    leap59, leap61 = bool(announce.flags & Flag.LEAP59), bool(announce.flags & Flag.LEAP61)
    if leap59 and leap61:
        yield LEAP_FLAGS_BOTH(where, str(master))
    elif (leap59, leap61) != time.leap.leap_flags(time.leap.ptp_from_posix(time.now_s)) and (leap59 or leap61):
        yield LEAP_FLAG(where, f"{master}: {'leap61' if leap61 else 'leap59'} is set", severity=None if fresh else NOTE)


def _disagreement(masters: list[Speaker]) -> Iterator[Finding]:
    offsets: dict[int, Speaker] = {}
    for master in masters:
        if master.announce is not None and master.announce.flags & Flag.PTP_TIMESCALE:
            offsets.setdefault(master.announce.current_utc_offset, master)
    if len(offsets) > 1:
        each = ", ".join(f"{offset} s: {master}" for offset, master in sorted(offsets.items()))
        yield UTC_OFFSET_DISAGREEMENT("masters", each)


def difference_s(master: Speaker, time: Time) -> float | None:
    """The master minus this machine's clock in the scale that it announces, s; None: not enough Syncs."""
    if len(master.offsets_ns) < 2:
        return None
    known = time.leap.tai_minus_utc(time.now_s)
    offset_s = median(master.offsets_ns) / NS_PER_S
    if master.announce is not None and not master.announce.flags & Flag.PTP_TIMESCALE:
        return min(offset_s, offset_s - known, key=abs)  # an arbitrary scale may be either
    return offset_s - known


def _times(masters: list[Speaker], time: Time) -> Iterator[Finding]:
    measured = {index: d for index, m in enumerate(masters) if (d := difference_s(m, time)) is not None}
    good = [index for index, d in measured.items() if abs(d) < _FINE_S]
    off = [index for index in measured if index not in good]
    if good:
        worst = max(abs(measured[index]) for index in good)
        yield MASTERS_AGREE(
            "masters", f"{len(good)} of {len(measured)} within {worst * 1000:.1f} ms of this machine's clock"
        )
    clocks = {min(m.grandmasters, default=m.identity.clock_identity) for m in (masters[index] for index in off)}
    alike = off and max(measured[i] for i in off) - min(measured[i] for i in off) < _FINE_S
    if not good and alike and len(clocks) > 1:
        from_here = f"all {_seconds(measured[off[0]])} from this machine"
        text = f"{len(off)} masters of {len(clocks)} grandmasters agree, {from_here}"
        yield MACHINE_DIFFERS("system clock", text)
        return
    for index in off:
        yield _difference(masters[index], measured[index], time, len(good))


def _difference(master: Speaker, d: float, time: Time, others: int) -> Finding:
    known = time.leap.tai_minus_utc(time.now_s)
    where = str(master.place)
    who = f"; {others} other masters agree with this machine" if others else ""
    text = f"{master}: {_seconds(d)} from this machine's clock{who}"
    arbitrary = master.announce is not None and not master.announce.flags & Flag.PTP_TIMESCALE
    hours = round(d / _HALF_HOUR)
    if hours and abs(hours) <= 28 and abs(d - hours * _HALF_HOUR) < 60:
        return WHOLE_HOURS(where, f"{text}, {hours / 2:+g} hours")
    if arbitrary:
        return TIME_DIFFERS(where, f"{text}; its scale is arbitrary", severity=NOTE)
    if abs(abs(d) - known) < 0.5:
        return MASTER_ON_UTC(where, text)
    if abs(d + 19) < 0.5 or abs(abs(d) - (known - 19)) < 0.5:
        return MASTER_ON_GPS(where, text)
    if abs(abs(d) - 1) < _FINE_S:
        return ONE_SECOND(where, text)
    return TIME_DIFFERS(where, text, severity=None if abs(d) >= 1 or time.declared else NOTE)


def _seconds(d: float) -> str:
    return f"{d:+.3f} s"
