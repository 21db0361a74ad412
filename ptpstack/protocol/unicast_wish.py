"""One message type of one server, as its client sees it: wanted, asked for, held, renewed, cancelled.

A state machine without sending: ``turn`` says what to say now and sets when its next turn is. Times are ns.

| wanted | held | what is done |
|---|---|---|
| yes | no | ask, again after the query interval, ever more rarely after the third time |
| yes | yes | ask again at three quarters of the time granted, then every query interval; at its end it is not held |
| no | either | say CANCEL, three times unless it is acknowledged, when something was asked for or held |
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum

from ptpstack.protocol.options import UnicastOptions
from ptpstack.protocol.timers import NEVER
from ptpstack.timebase.units import NS_PER_S, log_interval_ns
from ptpstack.wire.types import MessageType

#: How often a request is repeated at the query interval before the client is patient; how often CANCEL is said.
QUICK_TRIES = 3
CANCELS = 3
#: Renewal comes at this share of the time granted, less a random part that keeps clients apart.
RENEW_AT, RENEW_SPREAD = 0.75, 0.05
#: The random part of a wait between requests.
QUERY_SPREAD = 0.125


class Say(Enum):
    NOTHING = 0
    REQUEST = 1
    CANCEL = 2


@dataclass(eq=False, slots=True)
class Wish:
    kind: MessageType
    #: what we ask for
    log_asked: int
    wanted: bool = False
    log_granted: int = 0
    #: 0: not held
    expires_ns: int = 0
    #: when the grant was given or last renewed, and when its messages were last heard
    granted_ns: int = 0
    heard_ns: int = 0
    due_ns: int = NEVER
    #: requests since the last grant; refusals in a row
    tries: int = 0
    cancels: int = 0
    refused: bool = False
    lapsed: int = 0

    def held(self, now: int) -> bool:
        return now < self.expires_ns

    def renews_by(self, now: int, options: UnicastOptions) -> bool:
        """Its first renewal is near enough to go with that of another."""
        near = now + int(options.duration_s * NS_PER_S * RENEW_SPREAD)
        return self.wanted and self.held(now) and not self.tries and self.due_ns <= near

    @property
    def asked(self) -> bool:
        """A request is under way, or was answered."""
        return self.tries > 0 or self.expires_ns > 0

    def want(self, now: int) -> None:
        if not self.wanted:
            self.wanted, self.cancels, self.tries, self.refused = True, 0, 0, False
            self.due_ns = now

    def ask_anew(self, now: int) -> None:
        """What is held may not be worth anything any more: ask at once, as if for the first time."""
        self.wanted, self.cancels, self.tries, self.refused = True, 0, 0, False
        self.due_ns = now

    def unwant(self, now: int) -> None:
        if self.wanted:
            self.cancels = CANCELS if self.held(now) or self.tries else 0
            self.wanted, self.tries, self.refused, self.lapsed = False, 0, False, 0
            self.due_ns = now if self.cancels else NEVER
            if not self.cancels:
                self.expires_ns = 0

    def turn(self, now: int, options: UnicastOptions, rng: random.Random) -> Say:
        query_ns = log_interval_ns(options.log_query_interval)
        if not self.wanted:
            if not self.cancels:
                self.due_ns, self.expires_ns = NEVER, 0
                return Say.NOTHING
            self.cancels -= 1
            self.due_ns = now + query_ns
            return Say.CANCEL
        if self.expires_ns and not self.held(now):
            self.expires_ns = 0
            self.lapsed += 1
        self.tries += 1
        self.refused = False
        wait = self._wait(options, rng)
        if self.held(now):
            # while there is something to lose, no patience
            left = self.expires_ns - now
            wait = min(max(query_ns, min(wait, left // 4)), left)
        self.due_ns = now + wait
        return Say.REQUEST

    def _wait(self, options: UnicastOptions, rng: random.Random) -> int:
        """Until the next request when this one is not answered, or was refused."""
        patience = max(0, self.tries - QUICK_TRIES)
        longest = max(options.log_query_interval, options.log_max_query_interval)
        log = min(options.log_query_interval + patience, longest)
        return int(log_interval_ns(log) * (1.0 + QUERY_SPREAD * rng.random()))

    def granted(
        self, log_interval: int, duration_s: int, now: int, options: UnicastOptions, rng: random.Random
    ) -> None:
        # a longer time than we asked for is not relied on
        duration_ns = min(duration_s, options.duration_s) * NS_PER_S
        self.log_granted = log_interval
        self.expires_ns = now + duration_ns
        self.granted_ns = now
        self.heard_ns = max(self.heard_ns, now)
        self.tries, self.refused = 0, False
        self.due_ns = now + int(duration_ns * (RENEW_AT - RENEW_SPREAD * rng.random()))

    def lost(self, now: int, options: UnicastOptions, rng: random.Random) -> None:
        """Refused, or cancelled by the server: ask again after a while."""
        self.expires_ns = 0
        self.refused = True
        self.tries = max(1, self.tries)
        self.due_ns = now + self._wait(options, rng)

    def acknowledged(self) -> None:
        if not self.wanted:
            self.cancels, self.expires_ns, self.due_ns = 0, 0, NEVER
