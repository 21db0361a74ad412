"""The estimator under any calls in any order, with numbers that no sane driver would hand over.

Whatever happens: nothing is raised, every command lies within the clock's range, every figure is a finite number. Two
ways of looking: calls drawn by hypothesis with absurd numbers, and a plausible course of packets into which any of the
other calls break at random, which gets deeper into the rules.
"""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ptpstack.servo.base import Command, Request
from ptpstack.servo.estimator.servo import EstimatorServo
from ptpstack.servo.options import ServoOptions

S = 1_000_000_000
START_SNS = (1_767_225_637 * S) << 16
LIMIT_PPB = 100_000.0
#: what PTP time stamps can hold: 48 bits of seconds
MOST_SNS = ((1 << 48) * S) << 16

stamps = st.one_of(
    st.integers(0, MOST_SNS),
    st.integers(-(10**12), 10**12).map(lambda ns: START_SNS + (ns << 16)),
    st.sampled_from([0, START_SNS, START_SNS + 1, MOST_SNS]),
)
differences = st.one_of(st.integers(-MOST_SNS, MOST_SNS), st.integers(-(10**9), 10**9), st.just(0))
corrections = st.one_of(st.just(0), st.integers(-(1 << 63), (1 << 63) - 1))
frequencies = st.floats(-LIMIT_PPB, LIMIT_PPB)
passed = st.sampled_from([0, 1, 1_000, 1_000_000, S // 128, S, 8 * S, 3600 * S, 10**9 * S])
calls = st.one_of(
    st.tuples(st.just("sync"), stamps, stamps, corrections),
    st.tuples(st.just("delay"), stamps, stamps, corrections),
    st.tuples(st.just("link_delay"), stamps, differences),
    st.tuples(st.just("link_delay of the master"), stamps, differences, stamps, stamps, corrections),
    st.tuples(st.just("reading"), stamps, differences, st.floats(0.0, 1e15)),
    st.tuples(st.just("timer")),
    st.tuples(st.just("commanded"), stamps, frequencies, differences),
    st.tuples(st.just("new_master")),
    st.tuples(st.just("master_uncertain"), st.booleans()),
    st.tuples(st.just("set_sync_interval"), st.integers(-7, 7)),
    st.tuples(st.just("lost")),
    st.tuples(st.just("temperature"), st.floats(-273.0, 1e6)),
    st.tuples(st.just("clock_stepped")),
    st.tuples(st.just("step_refused")),
    st.tuples(st.just("take_over"), frequencies, st.booleans(), st.none() | st.floats(0.0, 1e6)),
    st.tuples(st.just("watch_only")),
    st.tuples(st.just("keep and resume"), st.floats(0.0, 1e9), frequencies),
)
#: these take the driver's time last
TIMED = {"sync", "delay", "link_delay", "reading", "timer", "commanded", "new_master", "lost", "temperature"}


def perform(servo: EstimatorServo, call: tuple[Any, ...], now_ns: int) -> Command | None:
    name, *arguments = call
    if name == "keep and resume":
        kept = servo.keep(now_ns)
        if kept is not None:
            servo.resume(json.loads(json.dumps(kept, allow_nan=False)), *arguments)
        return None
    if name == "link_delay of the master":
        clock_sns, delay_sns, *request = arguments
        return servo.link_delay(clock_sns, delay_sns, now_ns, Request(*request))
    if name == "take_over":
        frequency, in_service, learnt_ppb = arguments
        servo.take_over(frequency, in_service=in_service, learnt_ppb=learnt_ppb)
        return None
    answer = getattr(servo, name)(*arguments, *((now_ns,) if name in TIMED else ()))
    if name == "watch_only":
        assert answer is None or (abs(answer.frequency_ppb) <= LIMIT_PPB and answer.sigma_ppb > 0.0)
        return None
    assert answer is None or isinstance(answer, Command)
    return answer


def check(servo: EstimatorServo, command: Command | None, now_ns: int) -> None:
    if command is not None:
        assert servo.steering or (command.frequency_ppb is None and command.step_sns is None)
        if command.frequency_ppb is not None:
            assert abs(command.frequency_ppb) <= LIMIT_PPB, "beyond the clock's range, or no number"
        assert command.step_sns is None or isinstance(command.step_sns, int)
        assert command.again_at_ns is None or command.again_at_ns > now_ns
        assert command.reason
    estimate = servo.estimate(now_ns)
    if estimate is not None:
        assert math.isfinite(estimate.value_ns)
        assert math.isfinite(estimate.systematic_ns)
        assert estimate.systematic_ns >= 0.0
        assert estimate.statistical_ns is None or (
            math.isfinite(estimate.statistical_ns) and estimate.statistical_ns >= 0.0
        )
    soon, later = servo.bound_after(1.0, now_ns), servo.bound_after(1e6, now_ns)
    assert (soon is None) == (later is None)
    if soon is not None and later is not None:
        assert math.isfinite(later)
        assert 0.0 <= soon <= later
    delay = servo.path_delay_ns()
    assert delay is None or math.isfinite(delay)
    kept = servo.keep(now_ns)
    assert kept is None or json.dumps(kept, allow_nan=False)


@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(calls, passed), max_size=60), st.booleans())
def test_any_calls_with_any_numbers(sequence: list[tuple[tuple[Any, ...], int]], steering: bool) -> None:
    servo = EstimatorServo(ServoOptions(), max_frequency_ppb=LIMIT_PPB, steering=steering)
    now = 10**12
    for call, wait_ns in sequence:
        now += wait_ns
        check(servo, perform(servo, call, now), now)


@pytest.mark.parametrize("seed", range(40))
def test_a_course_of_packets_with_anything_in_between(seed: int) -> None:
    rng = random.Random(seed)
    direct, peer = seed % 4 == 3, seed % 4 == 2
    servo = EstimatorServo(ServoOptions(), max_frequency_ppb=LIMIT_PPB)
    servo.take_over(0.0)
    noise = 10.0 ** rng.uniform(0.0, 6.0)
    rate, command_ppb, error, now = rng.uniform(-2e5, 2e5), 0.0, 10.0 ** rng.uniform(0.0, 12.0), 10**12
    begin = now
    interval = 2.0 ** rng.randint(-4, 3)

    def clock(at_ns: int) -> int:
        return START_SNS + ((at_ns - begin) << 16) + round(error * 65536.0)

    def obey(command: Command | None) -> None:
        nonlocal command_ppb, error
        check(servo, command, now)
        if command is None or rng.random() < 0.02:
            return
        if command.frequency_ppb is not None:
            command_ppb = command.frequency_ppb
            servo.commanded(clock(now), command_ppb, 0, now)
        if command.step_sns:
            servo.clock_stepped()
            if rng.random() < 0.1:
                servo.step_refused()
            else:
                error += command.step_sns / 65536.0
                servo.commanded(clock(now), command_ppb, command.step_sns, now)
        if command.again_at_ns is not None and rng.random() < 0.2:
            obey(servo.timer(now))

    for _ in range(2000):
        passed_s = interval * rng.uniform(0.0, 1.0)
        now += round(passed_s * S)
        error += (rate + command_ppb) * passed_s
        true = START_SNS + ((now - begin) << 16)
        wait = round((1000.0 + rng.expovariate(1.0) * noise) * 65536.0)
        if direct:
            obey(servo.reading(clock(now), clock(now) - true + wait, 10.0, now))
        elif rng.random() < 0.5:
            obey(servo.sync(true - wait, clock(now), 0, now))
        elif peer and rng.random() < 0.98:
            request = Request(clock(now), true + wait, 0) if rng.random() < 0.9 else None
            obey(servo.link_delay(clock(now), wait, now, request))
        else:
            late = rng.choice([0, 0, 0, round(rng.expovariate(1.0) * 5.0 * S)])  # its Delay_Resp took that long
            stamp = clock(now)
            now += late
            error += (rate + command_ppb) * late / S
            obey(servo.delay(stamp, true + wait, 0, now))
        event = rng.random()
        if event < 0.004:
            error += rng.choice([-1.0, 1.0]) * 10.0 ** rng.uniform(0.0, 16.0)
        elif event < 0.008:
            rate += rng.gauss(0.0, 10.0 ** rng.uniform(0.0, 5.0))
        elif event < 0.012:
            noise = 10.0 ** rng.uniform(-2.0, 8.0)
        elif event < 0.014:
            now += round(10.0 ** rng.uniform(0.0, 6.0) * S)
        elif event < 0.024:
            other: list[tuple[Any, ...]] = [
                ("new_master",),
                ("lost",),
                ("timer",),
                ("temperature", rng.uniform(-50.0, 100.0)),
                ("master_uncertain", rng.random() < 0.5),
                ("set_sync_interval", rng.randint(-7, 7)),
                ("clock_stepped",),
                ("step_refused",),
                ("watch_only",),
                ("take_over", command_ppb, rng.random() < 0.5, rng.choice((None, 10.0 ** rng.uniform(0.0, 5.0)))),
                ("keep and resume", 10.0 ** rng.uniform(0.0, 8.0), command_ppb),
            ]
            obey(perform(servo, rng.choice(other), now))
            if not servo.steering and rng.random() < 0.7:
                servo.take_over(command_ppb)
