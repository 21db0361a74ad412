"""Peer delay: the part of a port that measures its link and lets the neighbour measure it.

IEEE 1588-2019 9.5.13 to 9.5.15, 11.4; not checked against the text.

1. It runs in every state but INITIALIZING, FAULTY and DISABLED, whoever is master.
2. The link has one other end. When several ports answer one request, measurements do not count for a while
   (``link_mean``); or, by option, the port is FAULTY for a while (11.4.4 leaves both).
3. What is measured while nobody is followed is kept for a while: a port that begins to follow knows its link.
4. A port of IEEE 802.1AS knows its link from its earlier life, too, until it has measured it: the first Sync counts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ptpstack.protocol.decision import Decision
from ptpstack.protocol.effects import PEER_DELAY, LinkDelayMeasured
from ptpstack.protocol.link_mean import LinkMean
from ptpstack.protocol.neighbor_rate import MOST
from ptpstack.protocol.one_step import send_pdelay_resp
from ptpstack.protocol.options import COMMON_SDO_ID
from ptpstack.protocol.part import DelayMechanism, LinkView
from ptpstack.protocol.pdelay_requester import ABSURD_SNS, CompletePdelay, PdelayRequester
from ptpstack.protocol.pdelay_responder import PdelayResponder, Request
from ptpstack.protocol.states import PortEvent
from ptpstack.protocol.sync_receiver import CompleteSync
from ptpstack.protocol.timers import TIMER_PDELAY_REQ
from ptpstack.timebase.units import log_interval_ns
from ptpstack.wire.codec import encode
from ptpstack.wire.messages import DelayReq, DelayResp, Message, PdelayReq, PdelayResp, PdelayRespFollowUp
from ptpstack.wire.types import Flag, MessageType, PortIdentity, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

TIMER_RECOVERY = "peer-recovery"
TIMER_EARLY = "pdelay-early"

#: Requests in a row with several answers until the port is FAULTY, where that is wished, and for how long.
ALLOWED_SEVERAL = 3
RECOVERY_NS = 16_000_000_000
#: Measurements kept while nobody is followed: how many, and for how long.
EARLY = 4
EARLY_AGE_NS = 20_000_000_000

#: majorSdoId of IEEE 802.1AS, which adds the fraction of t2 where IEEE 1588 takes it off
_GPTP = 1

#: sdoId of the common service (16.6): what its ports measure is for others, who know whom they follow

#: States in which a port takes no part.
SILENT = (PortState.INITIALIZING, PortState.FAULTY, PortState.DISABLED)


class P2PDelay(DelayMechanism):
    def __init__(self, port: Port) -> None:
        super().__init__(port)
        self.handlers = {
            PdelayReq: self._on_request,
            PdelayResp: self._on_response,
            PdelayRespFollowUp: self._on_follow_up,
            DelayReq: self._on_end_to_end,
            DelayResp: self._on_end_to_end,
        }
        self.timers = {
            TIMER_PDELAY_REQ: self._request_due,
            TIMER_RECOVERY: self._recover,
            TIMER_EARLY: self._take_up_early,
        }
        self.stamps = {MessageType.PDELAY_REQ: self._request_sent, MessageType.PDELAY_RESP: self._response_sent}
        #: then stamps are of a clock that runs by itself (IEEE 802.1AS LocalClock): they tell no time
        self._gptp = port.instance.options.sdo_id >> 8 == _GPTP
        #: by whose time links are counted; None: the clock as it is
        self._local = None if port.options.gptp is None else port.local_clock
        self._flags = 0 if port.options.gptp is None else Flag.PTP_TIMESCALE
        #: as long as the neighbour has asked for it
        self.stopped = False
        sign = 1 if self._gptp else -1
        self.requester = PdelayRequester(
            port.rng, port.counters, receipt_sign=sign, asymmetry_sns=port.ds.delay_asymmetry_sns
        )
        self.responder = PdelayResponder(port.counters, receipt_sign=sign)
        #: what every Pdelay_Req says, and of which interval
        self._template, self._told_interval = b"", -128
        self._due_ns = 0
        self._asked_ns = 0
        self._sync_ns: int | None = None
        self._mean = LinkMean(port.counters)
        #: whose link is known from an earlier life, and not measured in this one yet
        self._known: PortIdentity | None = None
        self._told = False
        self._isolated = False
        #: with the time at which each was asked for
        self._early: deque[tuple[LinkDelayMeasured, int]] = deque(maxlen=EARLY)

    def keep(self) -> dict[str, Any] | None:
        neighbor = self._mean.neighbor
        if self._local is None or neighbor is None:
            return None
        ds = self.port.ds
        return {
            "neighbor": [neighbor.clock_identity.hex(), neighbor.port_number],
            "delay_sns": ds.mean_link_delay_sns,
            "rate_ratio": ds.neighbor_rate_ratio,
        }

    def resume(self, kept: Mapping[str, Any]) -> None:
        clock, number = kept["neighbor"]
        neighbor = PortIdentity(bytes.fromhex(clock), int(number))
        delay, ratio = int(kept["delay_sns"]), float(kept["rate_ratio"])
        if self._local is None or self._mean.neighbor is not None:
            return
        if len(neighbor.clock_identity) != 8 or not abs(delay) < ABSURD_SNS or not abs(ratio - 1.0) <= MOST:
            raise ValueError(f"a link delay of {delay / 65536:.0f} ns, a rate of {ratio}")
        self._known = neighbor
        ds = self.port.ds
        ds.mean_link_delay_sns, ds.neighbor_rate_ratio = delay, ratio

    def sync_heard(self, sync: CompleteSync, now: int) -> None:
        if self._known is None:
            return
        known = self._known
        if self._mean.neighbor is None and known == self.port.parent and not self._told:
            self._told = True
            delay = self.port.ds.mean_link_delay_sns
            self.port.instance.emit(LinkDelayMeasured(self.port.number, known, 0, sync.t2_sns, delay, 0, None, 0))

    @property
    def link(self) -> LinkView:
        requester = self.requester
        return LinkView(
            self._mean.neighbor,
            self.port.ds.mean_link_delay_sns,
            requester.rate.known,
            requester.unanswered,
            self._mean.doubted,
        )

    @property
    def neighbor(self) -> PortIdentity | None:
        return self._mean.neighbor

    # ---- state ------------------------------------------------------------------------------------------------

    def entered(self, state: PortState, now: int) -> None:
        if state in SILENT:
            self.requester.flush()
            self.flush()
            self._mean.clear()
            self._known = None
            self._due_ns = now
            self.requester.several = 0
            self.port.ds.mean_link_delay_sns = 0
            self.stopped = False
            if state is PortState.FAULTY and self._isolated:
                self.port.timers[TIMER_RECOVERY] = now + RECOVERY_NS
            self._isolated = False
            return
        # the link does not care who is master: the request under way goes on
        if not self.stopped:
            self.port.timers[TIMER_PDELAY_REQ] = max(now, self._due_ns)
        if self.port.following and self._early:
            # after the Syncs that were kept: what they all lead to is then a matter of now
            self.port.timers[TIMER_EARLY] = now

    def flush(self) -> None:
        if self._local is None:
            # a clock that nobody steers was not stepped either
            self.requester.flush()
        self.responder.flush()
        self._early.clear()

    def _take_up_early(self, now: int, due: int) -> None:
        for measured, asked_ns in self._early:
            if now - asked_ns <= EARLY_AGE_NS:
                self.port.instance.emit(measured)
        self._early.clear()

    def _recover(self, now: int, due: int) -> None:
        if self.port.link_up:
            reason = "the time for which a port with several peers is left alone is over"
            self.port.event(PortEvent.FAULT_CLEARED, now, Decision("peer-recovery", reason))

    def sync_received(self, now: int) -> None:
        """Ask midway between Syncs: looks at a clock say most when they are apart, and frames of one instant queue."""
        last, self._sync_ns = self._sync_ns, now
        due = self.port.timers.get(TIMER_PDELAY_REQ)
        if due is None or last is None:
            return
        interval = now - last
        if 0 < interval <= log_interval_ns(self.port.ds.log_min_pdelay_req_interval):
            phase = (due - now) % interval
            if not interval <= 4 * phase <= 3 * interval:
                self._due_ns = self.port.timers[TIMER_PDELAY_REQ] = due + (interval // 2 - phase) % interval

    # ---- asking -----------------------------------------------------------------------------------------------

    def _request_due(self, now: int, due: int) -> None:
        port = self.port
        self._mean.next_request(len(self.requester.responders))
        sequence_id = self.requester.begin()
        self._rate_seen()
        port.link_seen(now, measured=False)
        if self.requester.several >= ALLOWED_SEVERAL and port.options.several_peers == "fault":
            self._isolate(now)
            return
        port.repeat(TIMER_PDELAY_REQ, now, due, log_interval_ns(port.ds.log_min_pdelay_req_interval))
        self._due_ns = port.timers[TIMER_PDELAY_REQ]
        self._asked_ns = now
        interval = 0x7F if port.options.gptp is None else port.ds.log_min_pdelay_req_interval
        if interval != self._told_interval:
            self._told_interval = interval
            message = port.new(PdelayReq, 0, interval)
            message.flags = self._flags
            message.correction_sns = -port.ds.delay_asymmetry_sns
            self._template = encode(message)
        port.send_event(self._template, sequence_id, MessageType.PDELAY_REQ, PEER_DELAY)

    def interval_changed(self, now: int) -> None:
        """Another interval holds from now on, or asking was stopped or begins again."""
        if TIMER_PDELAY_REQ in self.port.timers:
            del self.port.timers[TIMER_PDELAY_REQ]
        if not self.stopped and self.port.state not in SILENT:
            self._due_ns = self.port.timers[TIMER_PDELAY_REQ] = now

    def _rate_seen(self) -> None:
        """What is known from an earlier life holds until something is known in this one."""
        if self.requester.rate.known or self._known is None:
            self.port.ds.neighbor_rate_ratio = self.requester.rate.ratio

    def _free(self, stamp_sns: int | None) -> int | None:
        return stamp_sns if stamp_sns is None or self._local is None else self._local.free(stamp_sns)

    def _shown(self, stamp_sns: int) -> int:
        return stamp_sns if self._local is None else self._local.stamp(stamp_sns)

    def _isolate(self, now: int) -> None:
        self._isolated = True
        self.port.counters["peer-isolated"] += 1
        self.port.instance.fault(
            self.port,
            Decision(
                "several-peers",
                f"{self.requester.several} Pdelay_Req in a row were answered by more than one port: "
                "peer delay needs a link with one other end",
                {"allowed": ALLOWED_SEVERAL},
                would_change=f"{RECOVERY_NS // 1_000_000_000} s, or the link going down and up",
            ),
            now,
        )

    def _request_sent(self, sequence_id: int, egress_sns: int | None) -> None:
        self._complete(self.requester.transmitted(sequence_id, self._free(egress_sns)))

    def _on_response(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        assert isinstance(message, PdelayResp)
        if not self._for_us(message):
            return
        t4 = None if ingress_sns is None else self._free(ingress_sns - self.port.ingress_latency_sns)
        before = len(self.requester.responders)
        complete = self.requester.response(message, t4)
        if before == 1 and len(self.requester.responders) == 2:
            self._mean.several()
        self._complete(complete, now)

    def _on_follow_up(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        assert isinstance(message, PdelayRespFollowUp)
        if self._for_us(message):
            self._complete(self.requester.follow_up(message), now)

    def _for_us(self, message: PdelayResp | PdelayRespFollowUp) -> bool:
        if message.requesting == self.port.identity:
            return True
        self.port.counters["pdelay-resp-for-others"] += 1
        return False

    def _complete(self, complete: CompletePdelay | None, now: int | None = None) -> None:
        """``now`` None: a stamp has come, which tells no time of its own."""
        if complete is None:
            return
        port = self.port
        mean_sns = self._mean.add(complete)
        if mean_sns is None:
            return
        if complete.responder != self._known:
            # what was known was another link
            self._known = None
        port.ds.mean_link_delay_sns = mean_sns
        self._rate_seen()
        measured = LinkDelayMeasured(
            port.number,
            complete.responder,
            complete.sequence_id,
            self._shown(complete.t4_sns),
            complete.delay_sns,
            self._shown(complete.t1_sns),
            None if self._gptp else complete.t2_sns,
            -port.ds.delay_asymmetry_sns,
        )
        self._report(measured, self._asked_ns)
        if now is not None:
            port.link_seen(now, measured=True)

    def _report(self, measured: LinkDelayMeasured, asked_ns: int) -> None:
        port = self.port
        if port.following or port.instance.options.sdo_id == COMMON_SDO_ID:
            port.instance.emit(measured)
        else:
            self._early.append((measured, asked_ns))

    # ---- answering --------------------------------------------------------------------------------------------

    def _on_request(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        assert isinstance(message, PdelayReq)
        port = self.port
        t2 = None if ingress_sns is None else self._free(ingress_sns - port.ingress_latency_sns)
        unicast = message.flags & Flag.UNICAST
        request = Request(
            message.source,
            message.sequence_id,
            message.correction_sns,
            unicast,
            address if unicast else PEER_DELAY,
            now,
        )
        begun = self.responder.begin(request, t2)
        if begun is None:
            return
        key, receipt_ns, correction = begun
        if port.one_step == "p2p":
            self.responder.answered(key)
            send_pdelay_resp(port, request)
            return
        response = port.new(PdelayResp, message.sequence_id, 0x7F)
        response.flags = Flag.TWO_STEP | unicast | self._flags
        response.correction_sns = correction
        response.request_receipt_ns = receipt_ns
        response.requesting = message.source
        port.send_stamped(encode(response), key, MessageType.PDELAY_RESP, request.address)

    def _response_sent(self, key: int, egress_sns: int | None) -> None:
        stamped = self.responder.transmitted(key, self._free(egress_sns))
        if stamped is None:
            return
        request, origin_ns, correction = stamped
        follow_up = self.port.new(PdelayRespFollowUp, request.sequence_id, 0x7F)
        follow_up.flags = request.flags | self._flags
        follow_up.correction_sns = correction
        follow_up.response_origin_ns = origin_ns
        follow_up.requesting = request.requesting
        self.port.send_general(follow_up, request.address)

    # ---- the other mechanism ----------------------------------------------------------------------------------

    def _on_end_to_end(self, message: Message, ingress_sns: int | None, address: str, now: int) -> None:
        """9.5.12: a port with peer delay neither answers Delay_Req nor asks."""
        self.port.counters["drop-e2e-on-p2p-port"] += 1
