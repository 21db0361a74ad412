"""Transmit stamps that are late, lost, out of order or doubtful. A virtual cable shows none of these: injected."""

from __future__ import annotations

import errno

from hypothesis import given
from hypothesis import strategies as st

from ptpstack.net.channel import TransmitStamp
from ptpstack.net.pending import CALM, PendingStamps


def test_stamps_are_matched_by_id_in_any_order() -> None:
    pending = PendingStamps(100)
    for token in (70, 71, 72):
        pending.sent(token, 0)
    assert pending.stamped(2, 1002) == TransmitStamp(72, 1002)
    assert pending.stamped(0, 1000) == TransmitStamp(70, 1000)
    assert pending.stamped(1, 1001) == TransmitStamp(71, 1001)
    assert pending.overdue(1 << 60) == []


def test_a_gap_is_one_missing_stamp_and_shifts_nothing() -> None:
    pending = PendingStamps(100)
    for token in range(4):
        pending.sent(token, token)
    assert pending.stamped(0, 9) == TransmitStamp(0, 9)
    assert pending.stamped(2, 9) == TransmitStamp(2, 9)
    assert pending.stamped(3, 9) == TransmitStamp(3, 9)
    assert pending.overdue(100) == []
    assert pending.deadline_ns() == 101
    assert pending.overdue(101) == [TransmitStamp(1, None, "timeout")]
    assert pending.stamped(1, 9) is None
    assert (pending.missing, pending.late) == (1, 1)


def test_a_second_stamp_for_the_same_id_is_late() -> None:
    pending = PendingStamps(100)
    pending.sent(5, 0)
    assert pending.stamped(0, 9) is not None
    assert pending.stamped(0, 9) is None
    assert pending.late == 1


def test_the_table_is_bounded_and_the_oldest_gives_way() -> None:
    pending = PendingStamps(1000, capacity=3)
    for token in range(5):
        pending.sent(token, 0)
    assert len(pending) == 3
    assert pending.overdue(0) == [TransmitStamp(0, None, "overflow"), TransmitStamp(1, None, "overflow")]
    assert pending.stamped(2, 1) == TransmitStamp(2, 1)


def test_ids_wrap_at_32_bits() -> None:
    pending = PendingStamps(100)
    pending._next = 0xFFFFFFFE
    for token in range(4):
        pending.sent(token, 0)
    for token, number in enumerate((0xFFFFFFFE, 0xFFFFFFFF, 0, 1)):
        assert pending.stamped(number, 50 + token) == TransmitStamp(token, 50 + token)


def test_a_failure_that_uses_no_id() -> None:
    pending = PendingStamps(100)
    pending.failed(1, errno.EMSGSIZE)
    pending.sent(2, 0)
    pending.sent(3, 0)
    assert pending.stamped(1, 5) == TransmitStamp(3, 5)
    assert pending.overdue(0) == [TransmitStamp(1, None, "unsent")]
    assert pending.deadline_ns() == 100


def test_after_a_doubtful_failure_one_send_at_a_time_settles_at_once() -> None:
    for used_one in (0, 1):
        pending = PendingStamps(100)
        pending.failed(1, errno.EPERM)
        pending.sent(2, 0)
        assert pending.stamped(0 + used_one, 5) == TransmitStamp(2, 5)
        pending.sent(3, 0)
        assert pending.stamped(1 + used_one, 6) == TransmitStamp(3, 6)


def test_two_failures_with_a_send_between() -> None:
    pending = PendingStamps(100)
    pending.failed(1, errno.ENOBUFS)
    pending.sent(2, 0)
    pending.failed(3, errno.ENOBUFS)
    pending.sent(4, 0)
    answers = [(1, "unsent"), (2, "resync"), (3, "unsent")]
    assert sorted((s.token, s.missing) for s in pending.overdue(0)) == answers
    # Under 1 may come the stamp of either send.
    assert pending.stamped(1, 50) is None
    assert pending.ambiguous == 1
    # Both failures used up a number, so this can only be the last send's.
    assert pending.stamped(3, 51) == TransmitStamp(4, 51)
    pending.sent(5, 0)
    assert pending.stamped(4, 52) == TransmitStamp(5, 52)


def test_a_calm_ends_the_doubt() -> None:
    pending = PendingStamps(100)
    for token in (1, 3):
        pending.failed(token, errno.ENOBUFS)
        pending.sent(token + 1, 0)
    pending.overdue(100)
    assert pending.stamped(1, 9) is None
    pending.sent(5, 1000)
    assert pending.stamped(2, 50) == TransmitStamp(5, 50)
    pending.sent(6, 1000)
    assert pending.stamped(3, 51) == TransmitStamp(6, 51)


class Kernel:
    """Numbers stamped sends, and loses, delays and refuses as it is told."""

    def __init__(self) -> None:
        self.next = 0
        self.queue: list[tuple[int, int, int]] = []

    def send(self, token: int, now: int, *, lost: bool) -> None:
        if not lost:
            self.queue.append((self.next, token, now))
        self.next += 1

    def forget(self, before: int) -> None:
        """No stamp comes later than a calm: that is what pending.py relies on."""
        self.queue = [entry for entry in self.queue if entry[2] > before]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("send"), st.booleans()),
            st.tuples(st.just("fail"), st.booleans()),
            st.tuples(st.just("stamp"), st.integers(0, 30)),
            st.tuples(st.just("time"), st.integers(1, 300)),
        ),
        max_size=60,
    )
)
def test_no_stamp_is_ever_given_to_another_send(steps: list[tuple[str, int]]) -> None:
    """Any mix of losses, reordering, delays and failures: a stamp reaches its own token or nobody, and every token is
    answered exactly once."""
    kernel, pending = Kernel(), PendingStamps(100)
    now, token = 0, 0
    answers: dict[int, int] = {}

    def answer(found: TransmitStamp) -> None:
        answers[found.token] = answers.get(found.token, 0) + 1
        # The true stamp of a send is its token plus a million.
        assert found.stamp_ns in (None, found.token + 1_000_000)
        assert (found.stamp_ns is None) == bool(found.missing)

    for kind, value in steps:
        if kind == "send":
            kernel.send(token, now, lost=bool(value))
            pending.sent(token, now)
            token += 1
        elif kind == "fail":
            kernel.next += value  # whether the failed send used up a number
            pending.failed(token, errno.EPERM)
            token += 1
        elif kind == "stamp" and kernel.queue:
            number, owner, _ = kernel.queue.pop(value % len(kernel.queue))
            found = pending.stamped(number & 0xFFFFFFFF, owner + 1_000_000)
            if found is not None:
                answer(found)
        elif kind == "time":
            now += value
            kernel.forget(now - CALM * 100)
            for found in pending.overdue(now):
                answer(found)
    for found in pending.overdue(1 << 60):
        answer(found)
    assert answers == dict.fromkeys(range(token), 1)
    assert len(pending) == 0


def test_a_one_step_message_uses_up_a_number_and_nobody_waits_for_it() -> None:
    pending = PendingStamps(100)
    for token in (1, None, None, 2):
        pending.sent(token, 0)
    pending.failed(None, errno.ENETUNREACH)
    assert len(pending) == 2
    assert pending.stamped(3, 1003) == TransmitStamp(2, 1003)
    assert pending.stamped(0, 1000) == TransmitStamp(1, 1000)
    # from a NIC that reports one all the same
    assert pending.stamped(1, 1001) is None
    assert (pending.missing, pending.overdue(1 << 60)) == (0, [])
