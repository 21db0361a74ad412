"""Management in the midst of anything: the histories of test_instance_anything.py, with SETs and COMMANDs between."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ptpstack.protocol.effects import Effect, Keep, Managed, Rebuilt, Send, SendLocal, StateChanged
from ptpstack.protocol.management.table import READ_WRITE
from ptpstack.protocol.options import ManagementOptions, ruled
from ptpstack.wire.codec import decode
from ptpstack.wire.management import COMMAND, GET, SET
from ptpstack.wire.management.rows import IDS_BY_NAME, MANAGEMENT_IDS
from ptpstack.wire.types import ALL_PORTS, PortIdentity
from tests.protocol import test_instance_anything as anything
from tests.protocol.bench import identity
from tests.protocol.test_management import request
from tests.wire.test_management import values_of

#: another delay mechanism has other timers than the histories look for
_LEFT_OUT = {IDS_BY_NAME["DELAY_MECHANISM"].number}
_SETS = [r for r in MANAGEMENT_IDS.values() if "S" in r.actions and r.number not in _LEFT_OUT]
_COMMANDS = [r for r in MANAGEMENT_IDS.values() if "X" in r.actions]
#: what a profile allows, so that a minute of a history is no million of frames
_RANGES = (("announce_receipt_timeout", 2, 10), ("log_announce_interval", 0, 4), ("log_sync_interval", -1, 1))

targets = st.sampled_from([1, 2, 3, ALL_PORTS])
#: values that are often allowed, beside any that fit their fields
_USUAL: dict[str, st.SearchStrategy[Any]] = {
    "logAnnounceInterval": st.integers(0, 4),
    "logSyncInterval": st.integers(-1, 1),
    "announceReceiptTimeout": st.integers(2, 10),
    "desiredState": st.sampled_from([6, 7, 9]),
    "keyField": st.integers(0, 4),
    "clockAccuracy": st.sampled_from([0x20, 0x21, 0xFE]),
    "initializationKey": st.just(0),
}


@st.composite
def managements(draw: st.DrawFn) -> tuple[Any, ...]:
    kind = draw(st.sampled_from(["set", "set", "set", "command", "any"]))
    if kind == "any":
        octets = draw(st.binary(max_size=40).map(lambda data: data[: len(data) & ~1]))
        number = draw(st.sampled_from([n for n in MANAGEMENT_IDS if n not in _LEFT_OUT]))
        return "manage", number, draw(st.sampled_from([GET, SET, COMMAND])), octets, draw(targets)
    row = draw(st.sampled_from(_SETS if kind == "set" else _COMMANDS))
    values = draw(values_of(row.items))
    values |= {name: draw(usual) for name, usual in _USUAL.items() if name in values}
    return "manage", row.number, SET if kind == "set" else COMMAND, row.encode(values), draw(targets)


class ManagedHistory(anything.History):
    options: ClassVar[dict[str, Any]] = {"management": ManagementOptions(ranges=_RANGES, storage=True)}
    # so that external port configuration can be switched on
    port_options: ClassVar[dict[str, Any]] = {"desired_state": "slave"}

    def play(self, action: tuple[Any, ...]) -> None:
        if action[0] != "manage":
            super().play(action)
            return
        _, number, verb, data, port = action
        octets = request(number, verb, data, target=PortIdentity(identity(0x50), port), boundary_hops=1)
        self.do(self.instance.manage(READ_WRITE, octets, "/run/pmc", self.now))
        options = self.instance.options
        assert ruled(options) == options
        # what it is for, a SET may have changed
        self.role = "client" if options.client_only else "full"
        self.look()

    def do(self, effects: list[Effect]) -> None:
        plain: list[Effect] = []
        for effect in effects:
            if isinstance(effect, SendLocal) or (isinstance(effect, Send) and effect.octets[0] & 0x0F == 0xD):
                decode(effect.octets)
            elif isinstance(effect, StateChanged) and effect.event == "initialize":
                # a port that was made anew: its table may be another one than before
                assert effect.old is self.states[effect.port]
                self.states[effect.port] = effect.new
            elif not isinstance(effect, (Managed, Rebuilt, Keep)):
                plain.append(effect)
                continue
            self.log.append(effect)
            super().do(plain)
            plain = []
        super().do(plain)


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    anything.roles,
    st.integers(1, 3),
    anything.classes,
    st.integers(0, 9),
    st.lists(st.one_of(managements(), managements(), anything.actions), min_size=5, max_size=60),
)
def test_management_in_the_midst_of_anything(
    role: str, count: int, clock_class: int, seed: int, history: list[Any]
) -> None:
    logs = []
    for _ in range(2):
        run = ManagedHistory(role, count, clock_class, seed)
        for action in history:
            run.play(action)
        logs.append(run.log)
    assert logs[0] == logs[1]
