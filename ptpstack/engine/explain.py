"""Why a port is in its state, why that clock is the grandmaster, what stops us from synchronising: in sentences."""

from __future__ import annotations

from typing import Any

from ptpstack.engine.engine import Engine
from ptpstack.engine.explain_unicast import unicast_remarks
from ptpstack.engine.graph_status import explain_clocks
from ptpstack.protocol.instance import Instance
from ptpstack.protocol.port import Port
from ptpstack.protocol.security import PortSecurity
from ptpstack.protocol.states import FOLLOWING
from ptpstack.servo.base import ServoState
from ptpstack.timebase.units import format_ns
from ptpstack.wire.types import PortState, format_clock_identity

_STATE_MEANING = {
    PortState.INITIALIZING: "is starting",
    PortState.FAULTY: "is faulty and sends nothing",
    PortState.DISABLED: "is switched off",
    PortState.LISTENING: "listens for masters and serves nobody yet",
    PortState.PRE_MASTER: "waits out the qualification time before it serves",
    PortState.MASTER: "serves time on its segment",
    PortState.PASSIVE: "stays silent, because a better master serves this segment",
    PortState.UNCALIBRATED: "has chosen its master and is not yet synchronised to it",
    PortState.SLAVE: "follows its master",
}

#: counters that mean "a frame was not used", and what to look at
_DROP_ADVICE = {
    "sync-without-stamp": "Sync arrived without a receive time stamp: look at `ptpstack interfaces`",
    "sync-sent-without-stamp": "the transmit stamp of a Sync never came, so no Follow_Up was sent",
    "delay-req-without-stamp": "the transmit stamp of a Delay_Req never came",
    "delay-resp-missing": "Delay_Req were not answered: is the master's port MASTER, does it use E2E?",
    "pdelay-resp-missing": "Pdelay_Req were not answered: does the other end of this link use peer delay, too? A "
    "switch that knows no PTP neither answers them nor passes them on",
    "pdelay-several-peers": "Pdelay_Req were answered by more than one port, so they measured no link: a switch or "
    "hub that knows no PTP lies between",
    "pdelay-resp-without-follow-up": "two-step Pdelay_Resp without Pdelay_Resp_Follow_Up: general messages (UDP 320) "
    "are being lost",
    "pdelay-req-without-stamp": "the transmit stamp of a Pdelay_Req never came",
    "pdelay-resp-without-stamp": "Pdelay_Resp arrived without a receive time stamp: look at `ptpstack interfaces`",
    "pdelay-resp-sent-without-stamp": "the transmit stamp of a Pdelay_Resp never came: the neighbour got no Follow_Up",
    "drop-pdelay-req-flood": "Pdelay_Req came faster than any neighbour sends them and got no answer",
    "pdelay-absurd": "peer delays of more than a second: a clock was set in between, or somebody makes them up",
    "drop-e2e-on-p2p-port": "Delay_Req or Delay_Resp came to this port, which uses peer delay: somebody here has "
    "delay_mechanism E2E; both ends of a link must have the same",
    "drop-p2p-on-e2e-port": "peer delay messages came to this port, which measures end to end: somebody here has "
    "delay_mechanism P2P; both ends of a link must have the same",
    "drop-not-as-capable": "Announce and Sync came to this port while it was not asCapable: why, is said by `ptpstack "
    "status`",
    "drop-signaling-not-neighbor": "Signaling of others than the neighbour: something on this link passes frames on",
    "sync-receipt-timeout": "the grandmaster was given up because its Syncs stayed away",
    "follow-up-without-origin": "Syncs to hand on whose origin was lost, because the parent changed",
    "drop-not-parent": "Sync of masters other than the parent: another master is active on the segment",
    "sync-without-follow-up": "two-step Sync without Follow_Up: general messages (UDP 320) are being lost",
    "follow-up-unmatched": "Follow_Up without its Sync: event messages (UDP 319) are being lost",
    "drop-announce-own-clock": "our own Announce comes back: two of our ports are on one segment",
    "drop-announce-own-grandmaster": "somebody serves our own time back to us: a loop",
    "stamp-before-step": "transmit stamps taken before the clock was stepped: of no use, and no loss",
    "stamp-out-of-range": "this clock shows a time that no PTP Timestamp can hold: it was never set",
    "drop-unauthenticated": "frames without AUTHENTICATION: the sender has no security association, or another option",
    "drop-auth-icv": "frames whose ICV is wrong: forged, changed on the way (a transparent clock, and the association "
    "does not have allow_mutable), or the same keyID stands for another key there",
    "drop-auth-key": "frames signed with a key that we do not have: is the association file the same everywhere?",
    "drop-auth-spp": "frames of another security association (SPP)",
    "drop-auth-replay": "signed frames seen before: a replay, or a sender that has just started again",
    "drop-auth-length": "frames whose ICV is not as long as our algorithm for that keyID makes it",
    "drop-auth-not-last": "frames with a TLV behind their AUTHENTICATION",
    "drop-auth-not-immediate": "frames for delayed processing (TESLA), which is not done here",
    "drop-auth-no-association": "signed frames, while we have no key of our own: look at `ptpstack keys`",
    "tx-without-key": "nothing could be sent: there is no key to sign with, look at `ptpstack keys`",
    "rx-unauthenticated": "frames without AUTHENTICATION were used, as the port's allow_unauthenticated says",
    "drop-source": "frames of sources that the port's rules do not let in (allow_sources, deny_sources)",
    "drop-limit-delay-req": "delay requests above limit_delay_req: more clients than expected, or a flood",
    "drop-limit-announce": "Announces above limit_announce: somebody floods, or invents identities",
    "drop-limit-signaling": "Signaling above limit_signaling: somebody floods",
    "drop-limit-management": "Management above limit_management: somebody floods, or asks too often",
    "correction-overflow": "a correctionField too big to represent",
    "drop-multicast": "multicast on a port that is for unicast only",
    "drop-unicast-of-stranger": "unicast of a master that is none of the servers of this port",
    "drop-delay-req-without-grant": "Delay_Req of who holds no grant for Delay_Resp",
    "drop-signaling-rate": "requests of strangers beyond what is answered: a flood, or all clients starting at once",
    "unicast-client-unreachable": "clients given up because no Sync could be sent to their address",
}


def explain(engine: Engine, now: int, instance: str | None = None, port: int | None = None) -> dict[str, Any]:
    """Sentences and the decisions behind them. KeyError for an unknown instance or port."""
    names = [instance] if instance is not None else list(engine.instances)
    if instance is not None and instance not in engine.instances:
        raise KeyError(f"no instance {instance!r}; there are {', '.join(engine.instances)}")
    wanted = None if instance is None else set(engine.instances[instance].options.clocks)
    return {
        "instances": [_instance(engine, engine.instances[name], now, port) for name in names],
        "clocks": explain_clocks(engine, now, wanted) if port is None else [],
    }


def _instance(engine: Engine, instance: Instance, now: int, port_number: int | None) -> dict[str, Any]:
    if port_number is not None and not 1 <= port_number <= len(instance.ports):
        raise KeyError(f"instance {instance.options.name} has ports 1 to {len(instance.ports)}, not {port_number}")
    ports = [p for p in instance.ports if port_number is None or p.number == port_number]
    return {
        "name": instance.options.name,
        "domain": instance.options.domain,
        "grandmaster": _grandmaster(engine, instance),
        "synchronisation": _synchronisation(engine, instance, now),
        "ports": [_port(p, now) for p in ports],
        "election": [
            {"port": r.port, "code": r.code or "none", "decision": r.decision.as_dict()}
            for r in instance.election.recommendations
        ],
        "foreign_masters": instance.foreign_masters(now),
    }


def _grandmaster(engine: Engine, instance: Instance) -> str:
    data = instance.data
    if instance.following_port is not None:
        recommendation = next((r for r in instance.election.recommendations if r.code == "S1"), None)
        why = recommendation.decision.reason if recommendation is not None else "it is the only one heard"
        return (
            f"{format_clock_identity(data.parent.grandmaster_identity)} is the grandmaster, "
            f"{data.current.steps_removed} step(s) away, heard through {data.parent.parent_port_identity}: {why}"
        )
    if any(p.state is PortState.PASSIVE for p in instance.ports):
        return "another grandmaster serves here; our own clock keeps its own time and stays ready"
    if any(p.state is PortState.MASTER for p in instance.ports):
        reference = engine.references.get(instance.options.clock)
        why = f" Its reference: {reference.decision.reason}" if reference is not None else ""
        return f"our own clock is the grandmaster (class {data.default.quality.clock_class}).{why}"
    return "nobody yet: no port serves or follows"


def _synchronisation(engine: Engine, instance: Instance, now: int) -> list[str]:
    """What stands between this instance and being synchronised; or how well it is."""
    port = instance.following_port
    edge = engine.edge_of(instance.options.name)
    clock = engine.clocks[edge.clock]
    if port is None:
        listening = [p for p in instance.ports if p.state is PortState.LISTENING]
        if listening:
            heard = sum(len(p.foreign) for p in listening)
            unrouted = sum(engine.unrouted[p.channel]["drop-domain-or-sdo-id"] for p in listening)
            lines = [
                f"no master is followed: {heard} heard, none of them chosen"
                if heard
                else "no master is followed: no Announce has been heard in domain "
                f"{instance.options.domain}; is a grandmaster on this segment, does multicast get through?"
            ]
            if unrouted:
                lines.append(
                    f"{unrouted} frames of other domains were seen: is domain {instance.options.domain} the right one?"
                )
            return lines
        return ["nothing to synchronise to: no port follows a master"]
    lines = []
    state = edge.servo.state
    if not clock.steerable:
        lines.append(f"clock {clock.name} is not steered: {clock.why_not}")
    elif clock.steering is not edge and clock.steering is not None:
        lines.append(f"clock {clock.name} is steered by {clock.steering.name}; this instance only watches")
    if edge.measurements == 0:
        lines.append("no complete Sync yet from the parent" + _why_no_sync(port))
    elif edge.servo.path_delay_ns() is None:
        asked = "Delay_Req" if port.ds.delay_mechanism == "E2E" else "Pdelay_Req"
        lines.append(f"Sync arrives, but no path delay is known yet: no answered {asked}" + _other_mechanism(port))
    estimate = edge.servo.estimate(now)
    if estimate is not None:
        bound = "unknown" if estimate.bound_ns is None else format_ns(estimate.bound_ns).lstrip("+")
        lines.append(f"offset {format_ns(estimate.value_ns)}, at worst off by {bound}; servo {state.value}")
    if state is not ServoState.LOCKED:
        lines.append(f"the servo is {state.value}: {edge.servo.reason}")
    return lines


def _other_mechanism(port: Port) -> str:
    own = port.ds.delay_mechanism
    heard = port.counters["drop-p2p-on-e2e-port" if own == "E2E" else "drop-e2e-on-p2p-port"]
    other = "P2P" if own == "E2E" else "E2E"
    return f"; this port's delay mechanism is {own}, {heard} messages of {other} were heard here" if heard else ""


def _why_no_sync(port: Port) -> str:
    c = port.counters
    if c["rx-sync"] == 0:
        return ": none was received; are event messages (UDP 319 or EtherType 0x88F7) let through?"
    if c["sync-without-stamp"]:
        return ": they came without receive time stamps"
    if c["rx-follow_up"] == 0:
        return ": the master is two-step and its Follow_Up (UDP 320) do not arrive"
    return f": {c['drop-not-parent']} came from other masters"


_UNSIGNED = {
    "no": "refused",
    "until-first": "used until one has been verified",
    "yes": "used, too",
}


def _authentication(security: PortSecurity) -> str:
    key = security.signing_key
    signs = "there is no key to sign with" if key is None else f"key {key} signs what it sends"
    proven = " (one has been)" if security.unauthenticated == "until-first" and security.proven else ""
    return (
        f"spp {security.spp}: {signs}; frames without AUTHENTICATION are {_UNSIGNED[security.unauthenticated]}{proven}"
    )


def _port(port: Port, now: int) -> dict[str, Any]:
    decision = port.decision
    sentence = f"port {port.number} ({port.channel}) is {port.state.name}: it {_STATE_MEANING[port.state]}"
    if decision is not None:
        sentence += f", because {decision.reason}"
    remarks = [f"{port.counters[name]}x {advice}" for name, advice in _DROP_ADVICE.items() if port.counters.get(name)]
    if port.gptp is not None and not port.gptp.capable:
        remarks.insert(0, f"not asCapable: {port.gptp.decision.reason}")
    if port.security is not None:
        remarks.insert(0, _authentication(port.security))
    if port.state in FOLLOWING and "announce-receipt" in port.timers:
        remaining = (port.timers["announce-receipt"] - now) / 1e9
        remarks.append(f"without another Announce the parent is given up in {remaining:.1f} s")
    remarks += unicast_remarks(port, now)
    if not port.delay.valid:
        remarks.append(
            "the common mean link delay service gets no answers on this link: the neighbour needs one, too "
            "(delay_mechanism COMMON_P2P)"
        )
    return {
        "number": port.number,
        "state": port.state.name,
        "since_s": (now - port.since_ns) / 1e9,
        "sentence": sentence,
        "decision": None if decision is None else decision.as_dict(),
        "would_change": "" if decision is None else decision.would_change,
        "remarks": remarks,
    }
