"""The tool that tells what servos cost: it runs, and its figures are of what it says."""

from __future__ import annotations

import json

import pytest

from tools.servo_cost import Noted, main, measure


def test_it_tells_the_cost_of_each_servo(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--log-rate", "3", "--seconds", "5", "--rounds", "1", "--json"]) == 0
    costs = json.loads(capsys.readouterr().out)
    assert [c["servo"] for c in costs] == ["estimator", "pi", "linreg", "nullf"]
    for c in costs:
        # Delay_Req come at random, on average as often as Sync
        assert 0.7 * 8 * 4 * 5 < c["exchanges"] < 1.3 * 8 * 4 * 5
        assert 0.0 < c["servo_us"] < c["engine_us"]
        assert c["percent_of_core"] == pytest.approx(c["engine_us"] * c["exchanges"] / 5 / 1e4)


def test_what_is_noted_is_what_was_told() -> None:
    told = Noted([], ["append"])
    told.append(3)
    told.append(4)
    assert told.calls == [("append", (3,)), ("append", (4,))]
    assert told.index(4) == 1
    assert len(told.calls) == 2


def test_a_servo_that_does_not_lock_is_no_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.servo_cost.SETTLING_S", 1.0)
    monkeypatch.setattr("tools.servo_cost.SETTLING_EXCHANGES", 0)
    with pytest.raises(RuntimeError, match="pi: told again, the servos end as unlocked"):
        measure("pi", 0, 1.0, 1)
