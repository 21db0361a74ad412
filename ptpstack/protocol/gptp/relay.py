"""The relay of a time-aware system (10.2.7, 10.2.12, 11.2.14): Sync of the SlavePort goes out at every MasterPort.

1. What leaves is the grandmaster's preciseOriginTimestamp as it came; the correction grows by link delay and residence,
   counted in the grandmaster's seconds: free-running clock x cumulative rate ratio.
2. A port with the interval of the Syncs that come is syncLocked (2020): it sends as each arrives. Another sends when
   its own interval is over, at the next arrival or by its own timer, with the newest that is known.
3. Ports with clocks of their own (PHCs) have nothing to count by but the grandmaster's time as those clocks show it;
   nothing is handed on before they do.
4. Without a parent the clock itself is the grandmaster. Where none may be (priority1 255), no Sync is sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.protocol.gptp.shared import Heard
from ptpstack.protocol.part import Part
from ptpstack.protocol.sending import Sending
from ptpstack.protocol.serving import TIMER_SYNC, Serving
from ptpstack.protocol.sync_receiver import CompleteSync
from ptpstack.timebase.units import log_interval_ns, saturate_interval
from ptpstack.wire.codec import encode
from ptpstack.wire.messages import FollowUp, Sync
from ptpstack.wire.tlvs.ieee802_1as import FollowUpInformation
from ptpstack.wire.types import Flag, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

#: of cumulativeScaledRateOffset
RATE_SCALE = 1 << 41
_INT32 = (1 << 31) - 1
#: priority1 of a system that is not grandmaster-capable (8.6.2.1)
NOT_GRANDMASTER = 255


class Inlet(Part):
    """Gives the relay what its port follows."""

    def __init__(self, port: Port, timeout: int) -> None:
        """``timeout``: syncReceiptTimeout, intervals."""
        super().__init__(port)
        self._relay, self._timeout = port.instance.relay, timeout

    def sync_heard(self, sync: CompleteSync, now: int) -> None:
        port = self.port
        if not port.following:
            return
        information = sync.information or FollowUpInformation()
        upstream = 1.0 + information.cumulative_scaled_rate_offset / RATE_SCALE
        # the delay is in seconds of the neighbour
        correction = sync.correction_sns + round(port.ds.mean_link_delay_sns * upstream)
        heard = Heard(
            port.parent,
            sync.t1_sns >> 16,
            correction,
            sync.t2_sns,
            port.local_clock,
            port.local_clock.free(sync.t2_sns),
            upstream * port.ds.neighbor_rate_ratio,
            sync.log_interval,
            information,
            now + self._timeout * log_interval_ns(max(-10, min(10, sync.log_interval))),
        )
        self._relay.took(port.number, heard, now)


class GptpServing(Serving):
    def __init__(self, port: Port, transmit_offset_ns: int, sync_locked: bool) -> None:
        super().__init__(port, transmit_offset_ns)
        self._relay, self._may_lock = port.instance.relay, sync_locked
        self._synced_ns = -(1 << 62)
        self._relay.outlets[port.number] = self._outlet

    def entered(self, state: PortState, now: int) -> None:
        super().entered(state, now)
        self.sync_locked = False

    def _outlet(self, heard: Heard, now: int) -> None:
        port = self.port
        if port.state is not PortState.MASTER or self.sync_stopped:
            return
        own, theirs = log_interval_ns(port.ds.log_sync_interval), log_interval_ns(heard.log_interval)
        self.sync_locked = self._may_lock and own == theirs
        if self._withholds(heard, now):
            return
        if self.sync_locked or now - self._synced_ns >= own - min(own, theirs) // 2:
            port.timers[TIMER_SYNC] = now + own
            self._send(now)

    def _sync_due(self, now: int, due: int) -> None:
        port = self.port
        parent = port.parent
        if parent.port_number == 0:
            self.sync_locked = False
            if port.instance.data.default.priority1 == NOT_GRANDMASTER:
                port.repeat(TIMER_SYNC, now, due, log_interval_ns(port.ds.log_sync_interval))
                port.counters["sync-without-grandmaster"] += 1
                return
            super()._sync_due(now, due)
            return
        port.repeat(TIMER_SYNC, now, due, log_interval_ns(port.ds.log_sync_interval))
        heard = self._relay.newest(parent, now)
        if heard is None:
            port.counters["sync-withheld"] += 1
        elif not self.sync_locked and not self._withholds(heard, now):
            self._send(now)

    def _withholds(self, heard: Heard, now: int) -> bool:
        port = self.port
        if heard.clock is port.local_clock or not port.instance.upstream.withholds_sync(now):
            return False
        port.counters["sync-withheld"] += 1
        return True

    def _send(self, now: int) -> None:
        self._synced_ns = now
        self._sync_sequence = (self._sync_sequence + 1) & 0xFFFF
        self.port.sending.sync(self._sync_sequence)


class GptpSending(Sending):
    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self._relay = port.instance.relay

    def _new_sync(self, log_interval: int, unicast: bool) -> Sync:
        message = super()._new_sync(log_interval, unicast)
        message.flags |= Flag.PTP_TIMESCALE
        return message

    def _send_follow_up(self, sequence_id: int, destination: str | None, egress_sns: int) -> None:
        port = self.port
        message = port.new(FollowUp, sequence_id, port.ds.log_sync_interval)
        message.flags = Flag.PTP_TIMESCALE
        parent = port.parent
        if parent.port_number == 0:
            message.precise_origin_ns = egress_sns >> 16
            message.correction_sns = egress_sns & 0xFFFF
            message.tlvs = (self._own(),)
        else:
            heard = self._relay.newest(parent)
            if heard is None:
                # the parent has changed since the Sync left
                port.counters["follow-up-without-origin"] += 1
                return
            residence, offset = self._inside(heard, egress_sns)
            message.precise_origin_ns = heard.origin_ns
            message.correction_sns = saturate_interval(heard.correction_sns + residence)
            told = heard.information
            message.tlvs = (
                FollowUpInformation(
                    _scaled(offset),
                    told.gm_time_base_indicator,
                    told.last_gm_phase_change_sns,
                    told.scaled_last_gm_freq_change,
                ),
            )
        port.send_general_octets(encode(message), message.type, destination)

    def _inside(self, heard: Heard, egress_sns: int) -> tuple[int, float]:
        """How long a Sync was inside, in seconds of the grandmaster; and how much faster those are than our own."""
        clock = self.port.local_clock
        if heard.clock is clock:
            residence = clock.free(egress_sns) - heard.free_sns
            return residence + round(residence * (heard.rate_ratio - 1.0)), heard.rate_ratio - 1.0
        return egress_sns - heard.ingress_sns, clock.frequency_ppb / 1e9

    def _own(self) -> FollowUpInformation:
        """Of a grandmaster: how its time runs against its own oscillator, and its last jump."""
        base = self.port.instance.time_base
        offset = _scaled(self.port.local_clock.frequency_ppb / 1e9)
        return FollowUpInformation(offset, base.indicator, base.phase_change_sns)


def _scaled(offset: float) -> int:
    return max(-_INT32 - 1, min(_INT32, round(offset * RATE_SCALE)))
