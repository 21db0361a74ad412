"""asCapable (10.2.5.1, 11.2.2): whether the other end of the link can be served and followed by IEEE 802.1AS; and why.

1. Capable: the neighbour answers peer delay, alone, is not this clock itself, its rate is known, and the link is as
   short as a cable. With gPTP-capable messages (2020): it also says that it speaks gPTP.
2. A port that is not has no role: it is LISTENING, sends no Announce and no Sync, and takes none.
3. What was capable stays so over a few bad measurements (allowedFaults, 2020) and lost answers (allowedLostResponses).
4. A profile may call every link capable (automotive).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ptpstack.protocol.decision import Decision
from ptpstack.protocol.effects import CapabilityChanged
from ptpstack.protocol.options import GptpOptions
from ptpstack.protocol.part import LinkView, Part
from ptpstack.protocol.states import PortEvent
from ptpstack.timebase.units import sns_to_float_ns
from ptpstack.wire.messages import Announce, FollowUp, Message, Sync
from ptpstack.wire.types import PortIdentity, PortState

if TYPE_CHECKING:
    from ptpstack.protocol.port import Port

_REFUSED = (Announce, Sync, FollowUp)
#: Requests without an answer that are no reason yet.
BEGINNING = 3
#: Reasons that are gone in a moment, and worth no event.
_PASSING = ("not-as-capable-unknown", "not-as-capable-rate")
_UNKNOWN = Decision("not-as-capable-unknown", "nothing is known of the link yet", would_change="answers to Pdelay_Req")
#: States in which nothing is known of the link.
_SILENT = (PortState.INITIALIZING, PortState.FAULTY, PortState.DISABLED)


class Capability(Part):
    def __init__(self, port: Port, options: GptpOptions) -> None:
        super().__init__(port)
        self._options = options
        self._assumed = options.as_capable == "assumed"
        self._faults = 0
        #: whose link was fit
        self._fit_to: PortIdentity | None = None
        #: asCapableAcrossDomains: as far as peer delay tells
        self.link_fit = self._assumed
        #: neighborGptpCapable; None: the neighbour has never said
        self.neighbor_says: bool | None = None
        self.capable = self._assumed
        self.decision = (
            Decision("as-capable", "the profile calls every link capable")
            if self._assumed
            else Decision(
                "not-as-capable-unknown", "nothing is known of the link yet", would_change="answers to Pdelay_Req"
            )
        )

    # ---- what the port does with it ---------------------------------------------------------------------------

    def entered(self, state: PortState, now: int) -> None:
        if state in _SILENT:
            if not self._assumed:
                self.link_fit = self.capable = False
                self._faults = 0
                self.neighbor_says = None
                self.decision = Decision("not-as-capable-unknown", f"the port is {state.name}")
        elif state is PortState.LISTENING and not self.capable:
            # nobody is waited for: there is nobody to hear
            self.port.announces.disarm()

    def refuses(self, message: Message, address: str, now: int) -> str:
        return "" if self.capable or not isinstance(message, _REFUSED) else "drop-not-as-capable"

    # ---- what it is made of -----------------------------------------------------------------------------------

    def link_seen(self, now: int, measured: bool) -> None:
        if self._assumed or self.port.state in _SILENT:
            return
        why = self._unfit(self.port.delay.link)
        if why is not None and self.link_fit and why.code == "not-as-capable-delay":
            # once more than it may be
            self._faults += measured
            if self._faults <= self._options.allowed_faults:
                return
        if why is None:
            self._faults = 0
            self._fit_to = self.port.delay.neighbor
        self.link_fit = why is None
        self._judge(why, now)

    def heard_capable(self, says: bool, now: int) -> None:
        """The neighbour has sent a gPTP-capable message, or has not done so any longer."""
        self.neighbor_says = says
        if not self._assumed:
            self._judge(None if self.link_fit else self.decision, now)

    def _unfit(self, link: LinkView) -> Decision | None:
        """Why the link is not fit; None: it is."""
        options = self._options

        def because(code: str, reason: str, change: str, **inputs: Any) -> Decision:
            return Decision(f"not-as-capable{code}", reason, inputs, (), change)

        if link.several:
            return because("-several", "more than one port answers a Pdelay_Req", "a link with one other end")
        lost = link.unanswered
        if link.neighbor is None and lost < BEGINNING:
            return _UNKNOWN
        if link.neighbor is None or lost > options.allowed_lost_responses:
            return because(
                "-silent",
                f"the last {lost} Pdelay_Req were not answered",
                "a neighbour that answers Pdelay_Req of sdoId 0x100",
                allowedLostResponses=options.allowed_lost_responses,
            )
        if link.neighbor.clock_identity == self.port.identity.clock_identity:
            number = link.neighbor.port_number
            return because("-loop", f"the neighbour is port {number} of this clock itself", "another cable")
        # a step of our own clock does not make a neighbour another
        if not link.rate_known and not (self.link_fit and link.neighbor == self._fit_to):
            return because("-rate", "neighborRateRatio is not known yet", "two measurements a second apart")
        delay, most, least = sns_to_float_ns(link.delay_sns), options.delay_threshold_ns, options.min_delay_ns
        if not least <= delay <= most:
            return because(
                "-delay",
                f"meanLinkDelay {delay:.0f} ns is {f'above {most:g}' if delay > most else f'below {least:g}'} ns: "
                "something that is no time-aware system lies between, or time stamps are not of the hardware",
                "a direct cable; another delay_threshold_ns where stamps or media are slow",
                meanLinkDelay=delay,
                meanLinkDelayThresh=most,
            )
        return None

    def _judge(self, why: Decision | None, now: int) -> None:
        says = self.neighbor_says
        # domain 0 speaks with systems of 2011, which never say it
        missing = says is False or (says is None and self.port.instance.options.domain != 0)
        if why is None and self._options.capable_messages and missing:
            why = Decision(
                "not-as-capable-mute",
                "the neighbour does not say that it speaks gPTP (gPTP-capable TLV)",
                {"gPtpCapableReceiptTimeout": self._options.capable_receipt_timeout},
                (),
                "a Signaling message with a gPTP-capable TLV",
            )
        link = self.port.delay.link
        before = self.decision.code
        self.decision = why or Decision(
            "as-capable",
            f"{link.neighbor} answers Pdelay_Req, {sns_to_float_ns(link.delay_sns):.0f} ns away",
            {"meanLinkDelayThresh": self._options.delay_threshold_ns},
            (),
            "silence, several answers, or a longer delay",
        )
        if self.decision.code != before and self.decision.code not in _PASSING:
            self.port.instance.emit(CapabilityChanged(self.port.number, why is None, self.decision))
        if self.capable == (why is None):
            return
        self.capable = why is None
        port = self.port
        port.counters["as-capable-gained" if self.capable else "as-capable-lost"] += 1
        if not self.capable:
            port.foreign.clear()
            port.event(PortEvent.NOT_CAPABLE, now, self.decision)
        port.instance.elect(now)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "as_capable": self.capable,
            "decision": self.decision.as_dict(),
            "neighbor_gptp_capable": self.neighbor_says,
        }
