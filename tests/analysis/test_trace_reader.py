"""A recorded client: its servo's estimates come back as they were."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ptpstack.analysis.errors import AnalysisError
from ptpstack.analysis.readers import Contents, ReadOptions, read
from ptpstack.clocks.oscillator import OscillatorModel
from ptpstack.engine.status import status
from ptpstack.engine.trace import RecordedEngine
from ptpstack.engine.trace_file import open_for_writing
from ptpstack.sim.build import make_node
from ptpstack.sim.delays import PathDelay
from ptpstack.sim.network import Segment
from ptpstack.sim.world import World
from ptpstack.wire.types import ClockQuality

SECONDS = 60
LOST_AT_S = 50


class Recorded:
    """A client of a grandmaster that leaves, its trace, and what ``status`` said after each input of its estimate."""

    def __init__(self, folder: Path, suffix: str) -> None:
        self.path = folder / f"oc.trace{suffix}"
        #: (now in ns, value, bound)
        self.stated: set[tuple[int, float, float | None]] = set()
        world = World()
        segment = Segment(world, default=PathDelay(1000, jitter_ns=50, seed=3))
        gm = make_node(world, "gm", 1, quality=ClockQuality(6, 0x21, 0x4E5D), port_options={"listen_first": False})
        node = make_node(
            world, "oc", 9, seed=5, oscillator=OscillatorModel(30_000.0, wander_ppb=1.0), initial_error_ns=5_000_000
        )
        self.engine = RecordedEngine(node.engine.plan, open_for_writing(str(self.path)))
        node.engine = self.engine
        for method, position in (("receive", 4), ("transmitted", 2)):
            setattr(self.engine, method, self._noting(getattr(self.engine, method), position))
        for member in (gm, node):
            segment.attach(member, "p1/sim")
        gm.start()
        node.start(0.5)
        world.run(LOST_AT_S)
        gm.stop()
        world.run(SECONDS)
        self.engine.close_trace(world.elapsed_ns)

    def _noting(self, call: Callable[..., Any], position: int) -> Callable[..., Any]:
        def noting(*arguments: Any) -> Any:
            effects = call(*arguments)
            estimate = status(self.engine, arguments[position])["instances"][0]["estimate"]
            if estimate is not None:
                self.stated.add((arguments[position], estimate["value_ns"], estimate["bound_ns"]))
            return effects

        return noting


@pytest.fixture(scope="module", params=["", ".gz"])
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return Recorded(tmp_path_factory.mktemp("analysis"), request.param)


@pytest.fixture(scope="module")
def contents(recorded: Recorded) -> Contents:
    return read(str(recorded.path), ReadOptions())


def test_the_estimates_are_those_that_the_node_had(recorded: Recorded, contents: Contents) -> None:
    assert contents.format == "trace"
    (series,) = contents.series
    assert series.kind == "estimated offset"
    assert len(series) > 40
    assert series.bound_ns is not None
    start_ns = 500_000_000
    for t_s, value_ns, bound_ns in zip(series.t_s, series.value_ns, series.bound_ns, strict=True):
        expected = None if math.isnan(bound_ns) else bound_ns
        assert (round(t_s * 1e9) + start_ns, value_ns, expected) in recorded.stated


def test_bounds_come_with_them(contents: Contents) -> None:
    (series,) = contents.series
    assert series.bound_ns is not None
    assert all(bound > 0.0 for bound in list(series.bound_ns)[-10:])


def test_events_are_marked(contents: Contents) -> None:
    texts = [mark.text for mark in contents.series[0].events]
    assert any(text.startswith("LISTENING to UNCALIBRATED") for text in texts)
    assert any(text.startswith("step ") for text in texts)
    assert texts.index("servo locked") < texts.index("servo holdover")


def test_nothing_is_told_of_a_trace_that_is_whole(contents: Contents) -> None:
    assert not any("otherwise" in note or "clean end" in note for note in contents.notes)


def test_a_trace_of_another_decision_and_a_cut_one_say_so(recorded: Recorded, tmp_path: Path) -> None:
    if recorded.path.suffix == ".gz":
        return
    lines = recorded.path.read_text().splitlines()
    changed = next(k for k, line in enumerate(lines) if '"SetFrequency"' in line)
    record = json.loads(lines[changed])
    record[3][1] += 1.0
    lines[changed] = json.dumps(record, separators=(",", ":"))
    path = tmp_path / "changed.trace"
    path.write_text("\n".join(lines[:-1]) + "\n")
    notes = read(str(path), ReadOptions()).notes
    assert any(f"from line {changed + 1} on this version decides otherwise" in note for note in notes)
    assert any("no clean end" in note for note in notes)


def test_a_trace_without_offsets_is_explained(recorded: Recorded, tmp_path: Path) -> None:
    if recorded.path.suffix == ".gz":
        return
    path = tmp_path / "short.trace"
    path.write_text("\n".join(recorded.path.read_text().splitlines()[:5]) + "\n")
    with pytest.raises(AnalysisError, match=r"no servo had an offset.*client's trace"):
        read(str(path), ReadOptions())


def test_a_damaged_trace_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.trace"
    path.write_text('["ptpstack-trace",1,{}]\n')
    with pytest.raises(AnalysisError, match="configuration cannot be used"):
        read(str(path), ReadOptions())
    path.write_text('["ptpstack-trace",99,{}]\n')
    with pytest.raises(AnalysisError, match="trace format 99"):
        read(str(path), ReadOptions())
