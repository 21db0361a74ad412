"""phc2sys and a ptp4l that is not there for a while."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ptpstack.linuxptp.commands import phc2sys
from ptpstack.linuxptp.commands.phc2sys import _Automatic
from ptpstack.linuxptp.commands.ptp4l_link import RENEWAL_NS, Port, Ptp4lLink, UtcOffset
from ptpstack.linuxptp.phc2sys import parse
from ptpstack.node.management_client import ManagementUnavailable
from ptpstack.timebase.units import NS_PER_S
from ptpstack.wire.types import PortState


class _Client:
    def __init__(self) -> None:
        self.there = False
        self.sent = 0

    def send(self, ask: object) -> None:
        if not self.there:
            raise ManagementUnavailable("nobody")
        self.sent += 1


def test_a_renewal_that_failed_is_due_still() -> None:
    link = object.__new__(Ptp4lLink)
    client: Any = _Client()
    link._client, link._renew_ns = client, 0
    for now in (0, NS_PER_S):
        with pytest.raises(ManagementUnavailable):
            link.renew(now)
    client.there = True
    assert link.renew(2 * NS_PER_S) == 2 * NS_PER_S + RENEWAL_NS
    assert client.sent == 2
    assert link.renew(3 * NS_PER_S) == 2 * NS_PER_S + RENEWAL_NS
    assert client.sent == 2


def test_who_does_not_tell_the_time_scale_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    program = _Automatic(phc2sys._asked(parse(["-a", "-r", "-q"])))
    answers: list[UtcOffset | None] = [None, None, UtcOffset(37, True)]

    def utc_offset() -> UtcOffset:
        answer = answers.pop(0)
        if answer is None:
            raise ManagementUnavailable("no answer")
        return answer

    link: Any = SimpleNamespace(
        ports={1: Port(1, PortState.SLAVE, "eth0", 0)}, utc_offset=utc_offset, renew=lambda now: now + RENEWAL_NS
    )
    program.link = link
    followed: list[Any] = []
    monkeypatch.setattr(program.follower, "follow", followed.append)
    try:
        program.changed()
        begin = program.follower.loop.now_ns()
        assert program.tick(begin) == program._again_ns
        assert len(answers) == 2
        program.tick(begin + NS_PER_S)
        assert (len(answers), followed) == (1, [])
        program.tick(begin + 60 * NS_PER_S)
        assert [graph.sinks for graph in followed] == [("CLOCK_REALTIME",)]
        assert program._again_ns is None
    finally:
        program.follower.loop.close()
