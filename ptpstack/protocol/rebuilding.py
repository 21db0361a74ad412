"""An instance that goes on with other options, and the rules that options have to keep."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ptpstack.protocol.announce_option_set import announce_options
from ptpstack.protocol.bmca import BMCA
from ptpstack.protocol.decision import Decision
from ptpstack.protocol.effects import Rebuilt, StateChanged
from ptpstack.protocol.options import InstanceOptions
from ptpstack.protocol.states import PortEvent
from ptpstack.wire.types import ClockQuality

if TYPE_CHECKING:
    from ptpstack.protocol.instance import Instance


def ruled(options: InstanceOptions) -> InstanceOptions:
    """Options as they hold. ValueError when they contradict each other.

    Priorities 255 of a client are our own rule: with 128 it would outrank a grandmaster of priority1 200 and never
    follow it.
    """
    if not options.client_only:
        return options
    if len(options.ports) > 1:
        raise ValueError(f"instance {options.name}: a client-only instance has exactly one port")
    return replace(options, priority1=255, priority2=255)


def class_255(options: InstanceOptions, quality: ClockQuality) -> ClockQuality:
    """8.1.3: slaveOnly means class 255."""
    return quality._replace(clock_class=255) if options.client_only else quality


def rebuild(instance: Instance, options: InstanceOptions, now: int, only: int | None = None) -> None:
    """Go on with other options, as after a start: every port, or ``only`` one, is made anew. Counters go on.

    Number and channels of the ports stay. ValueError when the options contradict each other.
    """
    valid = ruled(options)
    for port in instance.ports:
        if only in (None, port.number):
            port.initialize(now)
    before, instance.configured, instance.options = instance.options, options, valid
    if (before.path_trace, before.alternate_timescales) != (valid.path_trace, valid.alternate_timescales):
        instance.announce_options = announce_options(valid)
    instance.bmca = BMCA[valid.bmca](valid)
    default = instance.data.default
    default.domain_number, default.sdo_id = valid.domain, valid.sdo_id
    if default.slave_only is not valid.client_only:
        default.slave_only = valid.client_only
        default.priority1, default.priority2 = valid.priority1, valid.priority2
    decision = Decision("reconfigured", "it was given other options by management")
    if only is None:
        instance.upstream.become_grandmaster(decision)
    for index in range(len(instance.ports)):
        if only in (None, index + 1):
            _renew(instance, index, decision, now)
    instance.emit(Rebuilt())
    instance.say_quality(now)
    instance.elect(now)


def change_options(instance: Instance, options: InstanceOptions, now: int) -> None:
    """Go on with other options of what is said and heard by Announce; ports go on as they are."""
    instance.configured, instance.options = options, ruled(options)
    instance.announce_options = announce_options(instance.options)
    following = instance.following_port
    record = None if following is None else following.foreign.get(following.parent)
    if record is not None:
        for option in instance.announce_options:
            option.followed(record.announce)
    for port in instance.ports:
        port.announce_changed(now)
    instance.elect(now)


def _renew(instance: Instance, index: int, decision: Decision, now: int) -> None:
    old, port = instance.replace_port(index)
    old.timers.clear()
    # what it has sent and not yet heard of was of another life
    old.epoch += 1
    port.counters.update(old.counters)
    # what was set meanwhile
    for name in (
        "log_announce_interval",
        "announce_receipt_timeout",
        "log_sync_interval",
        "log_min_pdelay_req_interval",
    ):
        setattr(port.ds, name, getattr(old.ds, name))
    port.link_up, port.ds.port_enable, port.since_ns = old.link_up, old.ds.port_enable, now
    instance.emit(StateChanged(old.number, old.state, port.state, PortEvent.INITIALIZE.value, decision))
    if not port.ds.port_enable:
        port.event(PortEvent.DESIGNATED_DISABLED, now)
    elif not port.link_up:
        instance.link_is_down(port, now)
    else:
        port.event(PortEvent.INITIALIZED, now)
