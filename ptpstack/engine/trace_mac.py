"""Authentication in traces: what was computed with keys is written down, the keys are not.

A recorded engine's ``Mac`` notes each result as ``["mac", now, "icv", octets]`` or ``["mac", now, "valid", verdict]``,
behind the input that asked for it. Both say no more than the frames beside them. A replay gives them back in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from ptpstack.protocol.security import Mac

#: a line of a trace with its number
Numbered = tuple[int, list[Any]]


class RecordingMac:
    def __init__(self, mac: Mac, note: Callable[[str, str | bool], None]) -> None:
        self._mac = mac
        self._note = note

    def icv(self, spp: int, key_id: int, octets: bytes) -> bytes:
        icv = self._mac.icv(spp, key_id, octets)
        self._note("icv", icv.hex())
        return icv

    def valid(self, spp: int, key_id: int, octets: bytes, icv: bytes) -> bool:
        valid = self._mac.valid(spp, key_id, octets, icv)
        self._note("valid", valid)
        return valid


class ReplayedMac:
    """Answers as recorded; where nothing is recorded, an ICV that shows as a difference, and "not valid"."""

    def __init__(self) -> None:
        self._answers: deque[Any] = deque()

    def expect(self, answers: list[Any]) -> None:
        """What the next input will ask for: the third member of a record that ``with_answers_first`` made."""
        self._answers = deque(answers)

    def icv(self, spp: int, key_id: int, octets: bytes) -> bytes:
        answer = self._answers.popleft() if self._answers else None
        return bytes.fromhex(answer) if isinstance(answer, str) else bytes(16)

    def valid(self, spp: int, key_id: int, octets: bytes, icv: bytes) -> bool:
        return bool(self._answers) and self._answers.popleft() is True


def wrong_answer(record: list[Any]) -> bool:
    """Whether a ``mac`` record is not as ``RecordingMac`` writes it."""
    if len(record) != 4 or record[2] not in ("icv", "valid"):
        return True
    if record[2] == "valid":
        return not isinstance(record[3], bool)
    try:
        bytes.fromhex(record[3])
    except (TypeError, ValueError):
        return True
    return False


def with_answers_first(records: Iterator[Numbered]) -> Iterator[Numbered]:
    """The lines of a trace, an input's answers as one record ``["mac", now, [answers]]`` before the input."""
    held: Numbered | None = None
    answers: list[Any] = []

    def release() -> Iterator[Numbered]:
        if held is not None:
            if answers:
                yield held[0], ["mac", held[1][1], list(answers)]
            yield held

    try:
        for line, record in records:
            if record[0] == "mac":
                answers.append(record[3])
                continue
            yield from release()
            held = (line, record) if record[0] == "in" else None
            answers.clear()
            if held is None:
                yield line, record
    except ValueError:
        # a damaged line: what came before it counts
        yield from release()
        raise
    yield from release()
