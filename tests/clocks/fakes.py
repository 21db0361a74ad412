"""A fake kernel with state, at the seam of ``clocks.kernel``: two clocks over one simulated time.

It speaks in octets and request numbers only, written down here independently of ``phc_abi`` and ``timex``.
"""

import errno
import os
import struct
from collections import Counter

GETCAPS, GETCAPS2 = 0x80503D01, 0x80503D0A
OFFSET, OFFSET2 = 0x43403D05, 0x43403D0E
PRECISE, PRECISE2 = 0xC0403D08, 0xC0403D11
EXTENDED, EXTENDED2 = 0xC4C03D09, 0xC4C03D12
EXTTS, EXTTS2 = 0x40103D02, 0x40103D0B
PEROUT, PEROUT2 = 0x40383D03, 0x40383D0C
ENABLE_PPS = 0x40043D04
PIN_GETFUNC, PIN_SETFUNC = 0xC0603D06, 0x40603D07
MASK_CLEAR_ALL, MASK_EN_SINGLE = 0x00003D13, 0x40043D14
SIZES = {GETCAPS: 80, OFFSET: 832, PRECISE: 64, EXTENDED: 1216}
NEW = {GETCAPS2: GETCAPS, OFFSET2: OFFSET, PRECISE2: PRECISE, EXTENDED2: EXTENDED}
TIMEX = "<I4x4qi4x8qi4x5qi44x"
FD = 7


def fail(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class FakeKernel:
    """One PHC (fd 7, clock id -61) that begins at PTP time, and a system clock. Each clock read takes ``read_ns``."""

    def __init__(self, *, max_adj: int = 62_499_999, cross: bool = True, old: bool = False) -> None:
        self.true_ns = 1_795_172_896 * 10**9
        self.read_ns = 400
        self.max_adj = max_adj
        self.cross = cross
        self.old = old  # before Linux 5.4: only the first request numbers
        self.phc_offset_ns = 37 * 10**9
        self.phc_freq = 0
        self.tai = 37
        self.realtime_offset_ns = 0
        self.timex = {"freq": 0, "tick": 10_000, "status": 0x40, "maxerror": 16_000_000, "esterror": 16_000_000}
        self.nominal_tick = 10_000
        #: errno by request number (first numbering), or by "adjtime", "gettime", "open"
        self.errors: dict[int | str, int] = {}
        #: how often EBUSY is answered before anything works
        self.busy = 0
        self.calls: Counter[int | str] = Counter()
        self.octets: list[bytes] = []
        self.is_open = False
        self.writable = False
        #: requests of inputs, outputs and pins in the order in which they came: (request, octets)
        self.requests: list[tuple[int, bytes]] = []
        self.pin_table = [(b"SDP%d" % n, 0, 0) for n in range(4)]
        #: events that wait: (PTP time in ns, channel)
        self.events: list[tuple[int, int]] = []

    # time

    def phc_ns(self) -> int:
        self.true_ns += self.read_ns
        return self.true_ns + self.phc_offset_ns

    def realtime_ns(self) -> int:
        self.true_ns += self.read_ns
        return self.true_ns + self.realtime_offset_ns

    def advance_ns(self, ns: int) -> None:
        self.phc_offset_ns += round(ns * self.phc_freq / 65.536 * 1e-9)
        rate = self.timex["freq"] / 65.536 + (self.timex["tick"] / self.nominal_tick - 1) * 1e9
        self.realtime_offset_ns += round(ns * rate * 1e-9)
        self.true_ns += ns

    # the seam

    def open(self, path: str, writable: bool) -> int:
        self._trouble("open")
        self.is_open, self.writable = True, writable
        return FD

    def close(self, fd: int) -> None:
        assert (fd, self.is_open) == (FD, True)
        self.is_open = False

    def ioctl(self, fd: int, request: int, argument: bytearray) -> None:
        assert (fd, self.is_open) == (FD, True)
        if request in NEW and self.old:
            self.calls["unknown"] += 1
            argument[:4] = b"\xff" * 4  # a fake may scribble on a refused argument
            raise fail(errno.ENOTTY)
        request = NEW.get(request, request)
        if request not in SIZES:
            self._pins(request, argument)
            return
        assert len(argument) == SIZES[request]
        self._trouble(request)
        self.octets.append(bytes(argument))
        if request == GETCAPS:
            struct.pack_into("<9i", argument, 0, self.max_adj, 0, 2, 3, 1, 4, int(self.cross), 1, 1000)
        elif request == PRECISE:
            assert not any(argument)
            self._times(argument, 0, [self.phc_ns(), self.true_ns + self.realtime_offset_ns])
        elif request == EXTENDED:
            count = struct.unpack_from("<I", argument)[0]
            assert 1 <= count <= 25
            assert not any(argument[4:])
            times = []
            for k in range(count):
                self.read_ns = 100 + 37 * ((k + 2) % count)  # the shortest is the last but one, or the only one
                times += [self.realtime_ns(), self.phc_ns(), self.realtime_ns()]
            self._times(argument, 16, times)
        else:
            count = struct.unpack_from("<I", argument)[0]
            assert 1 <= count <= 25
            assert not any(argument[4:])
            times = [self.realtime_ns()]
            for _ in range(count):
                times += [self.phc_ns(), self.realtime_ns()]
            self._times(argument, 16, times)

    def _pins(self, request: int, argument: bytearray) -> None:
        self._trouble(request)
        if request == PIN_GETFUNC:
            index = struct.unpack_from("<I", argument, 64)[0]
            name, function, channel = self.pin_table[index]
            argument[:] = struct.pack("<64sIII20x", name, index, function, channel)
            return
        if not self.writable:
            raise fail(errno.EACCES)
        self.requests.append((request, bytes(argument)))
        if request == PIN_SETFUNC:
            _, index, function, channel = struct.unpack("<64sIII20x", argument)
            self.pin_table = [(n, 0, 0) if (f, c) == (function, channel) else (n, f, c) for n, f, c in self.pin_table]
            self.pin_table[index] = (self.pin_table[index][0], function, channel)

    def ioctl_value(self, fd: int, request: int, value: int) -> None:
        assert (fd, self.is_open) == (FD, True)
        self._trouble(request)
        self.requests.append((request, bytes((value,))))

    def readable(self, fd: int) -> bool:
        assert (fd, self.is_open) == (FD, True)
        return bool(self.events) or "read" in self.errors

    def read(self, fd: int, octets: int) -> bytes:
        self._trouble("read")
        assert self.events, "this read would block"
        count = min(octets // 32, 30)
        now, self.events = self.events[:count], self.events[count:]
        return b"".join(struct.pack("<qI4xII8x", *divmod(ns, 10**9), channel, 0) for ns, channel in now)

    def clock_gettime_ns(self, clock_id: int) -> int:
        self._trouble("gettime")
        if clock_id == 0:
            return self.realtime_ns()
        if clock_id == 11:
            return self.realtime_ns() + self.tai * 10**9
        assert (clock_id, self.is_open) == (-61, True)
        return self.phc_ns()

    def clock_adjtime(self, clock_id: int, timex: bytearray) -> int:
        assert len(timex) == 208
        self._trouble("adjtime")
        self.octets.append(bytes(timex))
        v = list(struct.unpack(TIMEX, timex))
        return self._system(v, timex) if clock_id == 0 else self._phc(clock_id, v, timex)

    def _phc(self, clock_id: int, v: list[int], timex: bytearray) -> int:
        assert (clock_id, self.is_open) == (-61, True)
        modes = v[0]
        if modes and not self.writable:
            raise fail(errno.EACCES)
        if modes & 0x100:
            self._check_fraction(modes, v[10])
            self.phc_offset_ns += v[9] * 10**9 + v[10]
        elif modes & 2:
            ppb = ((1 + v[2]) * 125) >> 13  # the kernel's own conversion
            if abs(ppb) > self.max_adj:
                raise fail(errno.ERANGE)
            self.phc_freq = v[2]
        elif modes:
            raise fail(errno.EOPNOTSUPP)
        else:
            v[2] = self.phc_freq
            timex[:] = struct.pack(TIMEX, *v)
        return 0

    def _system(self, v: list[int], timex: bytearray) -> int:
        modes, state = v[0], self.timex
        if modes & 0x100:
            self._check_fraction(modes, v[10])
            self.realtime_offset_ns += v[9] * 10**9 + v[10]
            state["status"] = (state["status"] | 0x40) & ~0x30
            state["maxerror"] = 16_000_000
        if modes & 0x10:
            state["status"] = v[5] & 0xFF
        if modes & 0x4:
            state["maxerror"] = v[3]
        if modes & 0x8:
            state["esterror"] = v[4]
        if modes & 0x80:
            self.tai = v[6]
        if modes & 2:
            state["freq"] = max(-32_768_000, min(32_768_000, v[2]))
        if modes & 0x4000:
            if not 0.9 * self.nominal_tick <= v[11] <= 1.1 * self.nominal_tick:
                raise fail(errno.EINVAL)
            state["tick"] = v[11]
        v[2], v[3], v[4], v[5], v[11], v[20] = (
            *(state["freq"], state["maxerror"], state["esterror"], state["status"]),
            *(state["tick"], self.tai),
        )
        timex[:] = struct.pack(TIMEX, *v)
        return 5 if state["status"] & 0x40 else 0

    def _check_fraction(self, modes: int, fraction: int) -> None:
        if not modes & 0x2000 or not 0 <= fraction < 10**9:
            raise fail(errno.EINVAL)

    def _times(self, argument: bytearray, offset: int, times: list[int]) -> None:
        for k, ns in enumerate(times):
            struct.pack_into("<qI4x", argument, offset + 16 * k, *divmod(ns, 10**9))

    def _trouble(self, what: int | str) -> None:
        self.calls[what] += 1
        if self.busy:
            self.busy -= 1
            raise fail(errno.EBUSY)
        if what in self.errors:
            raise fail(self.errors[what])
