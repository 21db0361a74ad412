"""Timers that know the earliest: whatever is done to them, it is the least of what is in them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ptpstack.protocol.timers import NEVER, Timers

NAMES = ("announce", "sync", "receipt", "delay-req")
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.sampled_from(NAMES), st.integers(0, 1000)),
        st.tuples(st.just("delete"), st.sampled_from(NAMES), st.just(0)),
        st.tuples(st.just("clear"), st.just(""), st.just(0)),
    ),
    max_size=60,
)


@given(ACTIONS)
def test_due_is_the_earliest(actions: list[tuple[str, str, int]]) -> None:
    timers = Timers()
    plain: dict[str, int] = {}
    for action, name, due in actions:
        if action == "set":
            timers[name] = plain[name] = due
        elif action == "clear":
            timers.clear()
            plain.clear()
        elif name in plain:
            del timers[name], plain[name]
        assert timers == plain
        assert timers.due == min(plain.values(), default=NEVER)
