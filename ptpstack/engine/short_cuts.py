"""A short cut past ``Engine.receive`` for who serves Delay_Req by the thousand.

By the first six octets of a frame, what answers it: (octets, destination) of a general message, or None, and then the
frame is for ``receive``. An answer changes nothing but counters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ptpstack.protocol.instance import Instance

PlainAnswer = Callable[[bytes, "int | None", str], "tuple[bytes, str | None] | None"]


class ShortCuts:
    def __init__(self, routes: Mapping[str, Mapping[int, tuple[Instance, int]]]) -> None:
        self._routes = routes
        self._answers: dict[str, dict[bytes, PlainAnswer]] = {}

    def of(self, channel: str) -> dict[bytes, PlainAnswer]:
        """The dictionary of a channel, which is kept up to date."""
        self._answers.setdefault(channel, {})
        self.refresh()
        return self._answers[channel]

    def refresh(self) -> None:
        """Others may answer now: settings, instances, their domains or their ports have changed."""
        for channel, answers in self._answers.items():
            # the dictionary stays the same: who was given it looks up there
            answers.clear()
            for instance, number in self._routes.get(channel, {}).values():
                delay = instance.ports[number - 1].delay
                answers.update(dict.fromkeys(delay.plain_requests, delay.answer_plain))
