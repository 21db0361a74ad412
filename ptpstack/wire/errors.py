"""The one error that malformed input can cause."""

from __future__ import annotations


class MalformedFrame(ValueError):
    """Octets that are not a PTP version 2 message.

    ``offset`` is the octet (from the start of the PTP header) at which decoding gave up; ``reason`` is a
    short stable code for counters (``short-header``, ``version``, ``message-type`` ...); ``detail`` is for people.
    """

    def __init__(self, offset: int, reason: str, detail: str = "") -> None:
        super().__init__(f"octet {offset}: {reason}" + (f" ({detail})" if detail else ""))
        self.offset = offset
        self.reason = reason
        self.detail = detail
