"""What holds for any data set and any request: the comparison as an order, the state decision, the fast answer."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ptpstack.protocol.comparison import Candidate, Comparator, Rank, compare
from ptpstack.protocol.comparison_itu import compare_itu
from ptpstack.protocol.effects import Send
from ptpstack.protocol.instance import Instance
from ptpstack.protocol.options import InstanceOptions, PortOptions
from ptpstack.protocol.state_decision import PortView, best_of, decide
from ptpstack.wire.codec import decode, encode
from ptpstack.wire.messages import DelayReq, DelayResp
from ptpstack.wire.types import ClockQuality, PortIdentity, PortState
from tests.protocol.bench import START, identity

# few values each, so that ties happen at every step
few = st.integers(0, 2)
identities = st.integers(0, 3).map(identity)
port_identities = st.builds(PortIdentity, identities, st.integers(1, 2))
candidates = st.builds(
    Candidate,
    priority1=few,
    quality=st.builds(ClockQuality, few, few, few),
    priority2=few,
    grandmaster=identities,
    steps_removed=st.sampled_from([0, 1, 2, 3, 4, 254, 65534, 65535]),
    sender=port_identities,
    receiver=port_identities,
    local_priority=few,
)
comparators = st.sampled_from((compare, compare_itu))


@settings(max_examples=500)
@given(candidates, candidates, comparators)
def test_comparison_is_antisymmetric_and_names_the_same_step(a: Candidate, b: Candidate, compare: Comparator) -> None:
    there, back = compare(a, b), compare(b, a)
    assert there.rank == -back.rank
    assert there.step == back.step
    assert (there.a_value, there.b_value) == (back.b_value, back.a_value)


@settings(max_examples=500)
@given(candidates, candidates)
def test_comparison_is_total_but_for_the_two_errors(a: Candidate, b: Candidate) -> None:
    result = compare(a, b)
    if result.rank is not Rank.SAME:
        return
    assert a.grandmaster == b.grandmaster
    if a.steps_removed == b.steps_removed:
        assert (a.sender, a.receiver.port_number) == (b.sender, b.receiver.port_number)
        assert "error-2" in result.step
    else:
        farther = a if a.steps_removed > b.steps_removed else b
        assert abs(a.steps_removed - b.steps_removed) == 1
        assert farther.sender == farther.receiver
        assert "error-1" in result.step


@settings(max_examples=500)
@given(candidates, candidates, candidates)
def test_comparison_is_transitive_on_different_grandmasters(a: Candidate, b: Candidate, c: Candidate) -> None:
    if len({a.grandmaster, b.grandmaster, c.grandmaster}) == 3 and compare(a, b).a_better and compare(b, c).a_better:
        assert compare(a, c).a_better


@settings(max_examples=500)
@given(candidates, candidates)
def test_different_grandmasters_are_never_better_by_topology(a: Candidate, b: Candidate) -> None:
    if a.grandmaster != b.grandmaster:
        assert compare(a, b).rank in (Rank.A_BETTER, Rank.B_BETTER)


@settings(max_examples=500)
@given(candidates, candidates)
def test_the_sentence_names_the_winner_first(a: Candidate, b: Candidate) -> None:
    result = compare(a, b)
    sentence = result.sentence("A", "B")
    if result.rank:
        assert sentence.startswith("A is better" if result.a_better else "B is better")
        assert result.by_topology == ("by topology" in sentence)


views = st.lists(st.tuples(st.sampled_from(list(PortState)), st.none() | candidates), min_size=1, max_size=4).map(
    lambda rows: [PortView(n, state, best) for n, (state, best) in enumerate(rows, 1)]
)


def received(views: list[PortView]) -> list[PortView]:
    """As on a real instance: the receiver is the own port, nobody claims the own identity, states without election
    hear nobody."""
    fixed = []
    for view in views:
        best = view.best
        if view.state in (PortState.INITIALIZING, PortState.FAULTY, PortState.DISABLED):
            best = None
        if best is not None:
            best = best._replace(receiver=PortIdentity(identity(9), view.number), grandmaster=best.grandmaster)
        fixed.append(view._replace(best=best))
    return fixed


@settings(max_examples=500)
@given(views, st.sampled_from([1, 6, 127, 128, 187, 248, 255]), few)
def test_the_state_decision_recommends_at_most_one_follower(rows: list[PortView], clock_class: int, p1: int) -> None:
    me = PortIdentity(identity(9), 0)
    own = Candidate(p1, ClockQuality(clock_class, 1, 1), 1, identity(9), 0, me, me)
    rows = received(rows)
    ebest, recommendations = decide(own, rows)
    codes = {r.port: r.code for r in recommendations}
    assert set(codes) == {
        v.number for v in rows if v.state not in (PortState.INITIALIZING, PortState.FAULTY, PortState.DISABLED)
    }
    assert list(codes.values()).count("S1") <= 1
    for view in rows:
        code = codes.get(view.number)
        if clock_class <= 127:
            assert code in (None, "", "M1", "P1")
        if code == "S1":
            assert ebest is not None
            assert view.best == ebest
            assert compare(ebest, own).a_better
        if code == "":
            assert view.best is None
            assert view.state is PortState.LISTENING
        if code in ("P1", "P2"):
            assert view.best is not None
    if "M2" in codes.values():
        assert not {"S1", "M3", "P2"} & set(codes.values())
    for r in recommendations:
        assert r.decision.reason
        assert r.decision.inputs["D0"]


@given(st.lists(candidates, max_size=6))
def test_best_of_is_beaten_by_nobody_with_another_grandmaster(rows: list[Candidate]) -> None:
    best = best_of(rows)
    assert (best is None) == (not rows)
    distinct = {c.grandmaster: c for c in rows}.values()
    winner = best_of(list(distinct))
    for candidate in distinct:
        if winner is not None and candidate is not winner:
            assert not compare(candidate, winner).a_better


# -------------------------------------------------------------------------------- the fast answer to Delay_Req


def serving(latency_ns: float, minor: int, interval: int) -> Instance:
    options = InstanceOptions(
        "gm",
        identity(0x50),
        (PortOptions("p", listen_first=False, ingress_latency_ns=latency_ns, log_min_delay_req_interval=interval),),
        minor_version=minor,
        domain=24,
        sdo_id=0x123,
    )
    instance = Instance(options, random.Random(1))
    instance.start(START)
    instance.timer(START)
    assert instance.ports[0].state is PortState.MASTER
    return instance


requests = st.builds(
    DelayReq,
    source=st.builds(PortIdentity, st.binary(min_size=8, max_size=8), st.integers(0, 0xFFFF)),
    sequence_id=st.integers(0, 0xFFFF),
    domain=st.just(24),
    sdo_id=st.just(0x123),
    flags=st.integers(0, 0xFFFF),
    correction_sns=st.integers(-(1 << 63), (1 << 63) - 1)
    | st.sampled_from([(1 << 63) - 1, (1 << 63) - 2, -(1 << 63), -(1 << 63) + 1]),
    log_interval=st.integers(-128, 127),
    control=st.integers(0, 255),
    minor_version=st.integers(0, 15),
    message_type_specific=st.integers(0, 0xFFFFFFFF),
    origin_ns=st.integers(0, (1 << 48) * 10**9 - 1),
    trailing=st.binary(max_size=20),
)


@settings(max_examples=400)
@given(
    requests,
    st.integers(-(1 << 20), 1 << 80),
    st.sampled_from([0.0, 12.75, -3.5]),
    st.integers(0, 2),
    st.integers(-7, 5),
    st.none() | st.tuples(st.integers(0, 43), st.integers(0, 255)),
)
def test_the_fast_answer_is_the_general_answer(
    request: DelayReq, t4_sns: int, latency: float, minor: int, interval: int, damage: tuple[int, int] | None
) -> None:
    octets = bytearray(encode(request) + request.trailing)
    if damage is not None and damage[0] not in (4, 5):
        octets[damage[0]] = damage[1]
    if octets[0] & 0x0F != 1 or octets[1] & 0x0F != 2 or octets[0] >> 4 != 1:
        return
    outcomes: list[Any] = []
    for fast in (True, False):
        instance = serving(latency, minor, interval)
        port = instance.ports[0]
        if not fast:
            port.delay.plain_requests = frozenset()
        effects = instance.receive(1, bytes(octets), t4_sns, "10.0.0.9", START)
        outcomes.append((effects, dict(port.counters)))
    assert outcomes[0] == outcomes[1]
    for effect in outcomes[0][0]:
        assert isinstance(effect, Send)
        assert isinstance(decode(effect.octets), DelayResp)
