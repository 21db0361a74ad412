"""An agenda against the plainest model of one: a dictionary that is searched."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ptpstack.protocol.agenda import Agenda
from ptpstack.protocol.timers import NEVER

KEYS = st.integers(0, 5)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.integers(0, 50)),
        st.tuples(st.just("put"), KEYS, st.integers(0, 50)),
        st.tuples(st.just("drop"), KEYS, st.just(0)),
        st.tuples(st.just("pop"), st.just(0), st.integers(0, 50)),
        st.tuples(st.just("clear"), st.just(0), st.just(0)),
    ),
    max_size=200,
)


@given(ACTIONS)
def test_nothing_is_lost_and_nothing_comes_twice(actions: list[tuple[str, int, int]]) -> None:
    agenda: Agenda[int] = Agenda()
    plain: dict[int, int] = {}
    for action, key, due in actions:
        if action == "put":
            agenda.put(key, due)
            plain[key] = due
        elif action == "drop":
            agenda.drop(key)
            plain.pop(key, None)
        elif action == "clear":
            agenda.clear()
            plain.clear()
        else:
            popped = agenda.pop(due)
            if popped is None:
                assert all(at > due for at in plain.values())
            else:
                assert plain[popped] == min(plain.values()) <= due
                del plain[popped]
        assert len(agenda) == len(plain)
        assert agenda.due == min(plain.values(), default=NEVER)


def test_it_does_not_grow_with_how_often_a_thing_is_put() -> None:
    agenda: Agenda[str] = Agenda()
    for n in range(10_000):
        agenda.put("a", 10**9 + n)
        agenda.put("b", 10**9 - n)
    assert len(agenda) == 2
    assert len(agenda._heap) < 200
    assert (agenda.pop(10**10), agenda.pop(10**10), agenda.pop(10**10)) == ("b", "a", None)
