"""What ``ptpstack status`` shows of a transparent clock."""

from __future__ import annotations

from typing import Any

from ptpstack.cli.status import _transparent
from ptpstack.protocol.options import TransparentOptions, TransparentPort
from ptpstack.protocol.transparent.clock import TransparentClock


def lines(**options: Any) -> list[str]:
    ports = (TransparentPort("eth1/bridge"), TransparentPort("eth2/bridge"))
    clock = TransparentClock(TransparentOptions("ward", ports, clock_identity=bytes(range(8)), **options))
    clock.start(0)
    clock.link("eth2/bridge", False, 0)
    return [text.plain for text in _transparent(clock.status())]


def test_a_link_that_is_not_measured_says_why() -> None:
    assert lines(delay_mechanism="P2P", inside=("ward/l2",)) == [
        "ward: transparent clock, P2P",
        "     eth1/bridge  up    ",
        "                  link delay not known: not measured yet",
        "     eth2/bridge  down  ",
        "                  link delay not known: the link is down",
        "     ward/l2      up    an instance is here",
    ]


def test_an_end_to_end_clock_has_no_links() -> None:
    assert lines() == ["ward: transparent clock, E2E", "     eth1/bridge  up    ", "     eth2/bridge  down  "]
