"""An instance that goes on with other options as after a start: its ports are made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ptpstack.protocol.announce_option_set import announce_options
from ptpstack.protocol.bmca import BMCA
from ptpstack.protocol.decision import Decision
from ptpstack.protocol.effects import Rebuilt, StateChanged
from ptpstack.protocol.options import InstanceOptions, ruled
from ptpstack.protocol.states import PortEvent

if TYPE_CHECKING:
    from ptpstack.protocol.instance import Instance


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
