"""What came out of many runs: tables for people, a dictionary for programs; ours and the published side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ptpstack.sim.figures import FIGURES, Outcome, Verdict, meets, together
from ptpstack.sim.scenario import Published, Scenario

#: PI servos of two simulators that agree to within this share are taken for the same.
AGREEMENT = 0.10

#: shown for every scenario, where there is something to show; the others when they are expected or published
ALWAYS = ("rms_ns", "mean_ns", "max_ns", "frequency_peak_ppb", "lock_s", "coverage_percent", "coverage_sum_percent",
          "bound_ratio")  # fmt: skip
WORST_TOO = ("coverage_percent", "coverage_sum_percent")


@dataclass(frozen=True, slots=True)
class Column:
    """One servo of ours in one scenario."""

    servo: str
    outcomes: tuple[Outcome, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def must(self) -> bool:
        return all(v.must is not False for v in self.verdicts)

    def figure(self, name: str, over: str = "") -> float | None:
        return together(name, self.outcomes, over)


@dataclass(frozen=True, slots=True)
class ScenarioReport:
    scenario: Scenario
    columns: tuple[Column, ...]

    @property
    def figures(self) -> list[str]:
        """What to show, in the order of FIGURES."""
        wanted = {*ALWAYS, *(e.figure for e in self.scenario.expect)}
        for published in self.scenario.published:
            wanted.update(published.figures)
        if self.scenario.holdover is not None:
            wanted.update(name for name in FIGURES if "holdover" in name or name == "predictor_ns")
            if self.scenario.holdover.limit_ns:
                wanted.update(("forecast_ratio", "reached_ratio"))
        return [
            name
            for name in FIGURES
            if name in wanted
            and (
                any(c.figure(name) is not None for c in self.columns)
                or any(name in p.figures for p in self.scenario.published)
            )
        ]

    def agreement(self, column: Column, name: str) -> float | None:
        """Ours / the published figure that this servo has to reproduce; None when there is none."""
        for published in self.scenario.published:
            if published.servo == column.servo and published.figures.get(name):
                ours = column.figure(name)
                return None if ours is None else ours / published.figures[name]
        return None


def judge(scenario: Scenario, outcomes: Sequence[Outcome]) -> tuple[Verdict, ...]:
    verdicts = []
    for expect in scenario.expect:
        over = expect.over or FIGURES[expect.figure].over
        value = together(expect.figure, outcomes, over)
        verdicts.append(
            Verdict(
                expect.figure,
                over,
                value,
                expect.must,
                expect.goal,
                expect.near,
                meets(expect.figure, value, expect.must, expect.near),
                meets(expect.figure, value, expect.goal, expect.near),
            )
        )
    return tuple(verdicts)


def make_report(
    scenarios: Sequence[Scenario], found: Mapping[tuple[str, str | None], Sequence[Outcome]]
) -> list[ScenarioReport]:
    reports = []
    for scenario in scenarios:
        columns = [
            Column(outcomes[0].servo, tuple(outcomes), judge(scenario, outcomes))
            for (name, _), outcomes in found.items()
            if name == scenario.name and outcomes
        ]
        reports.append(ScenarioReport(scenario, tuple(columns)))
    return reports


# ---- for programs ---------------------------------------------------------------------------------------------------


def as_dict(report: ScenarioReport) -> dict[str, Any]:
    scenario = report.scenario
    return {
        "scenario": scenario.name,
        "title": scenario.title,
        "length_s": scenario.length_s,
        "stats_from_s": scenario.stats_from_s,
        "servos": [
            {
                "servo": column.servo,
                "must": column.must,
                "figures": {name: column.figure(name) for name in FIGURES if column.figure(name) is not None},
                "worst_seed": {name: column.figure(name, "worst") for name in WORST_TOO},
                "agreement": {name: ratio for name in FIGURES if (ratio := report.agreement(column, name)) is not None},
                "verdicts": [verdict.as_dict() for verdict in column.verdicts],
                "seeds": [
                    {"seed": o.seed, "samples": o.samples, "cpu_s": round(o.took_s, 3), "figures": o.figures}
                    for o in column.outcomes
                ],
            }
            for column in report.columns
        ],
        "published": [{"name": p.name, "source": p.source, "figures": p.figures} for p in scenario.published],
    }


# ---- for people -----------------------------------------------------------------------------------------------------


def show(name: str, value: float | None) -> str:
    """A figure with a unit that suits its size; ``-`` when there is none."""
    if value is None:
        return "-"
    unit = FIGURES[name].unit
    if unit == "ns":
        return _scaled(value, ("ns", "us", "ms", "s"))
    if unit == "ppb":
        return _scaled(value, ("ppb", "ppm"))
    if unit == "%":
        return f"{value:.3f} %"
    if unit == "s":
        return f"{value:.1f} s"
    return f"{value:.2f}"


def _scaled(value: float, units: Sequence[str]) -> str:
    for number, unit in enumerate(units):
        scaled = value / 1000.0**number
        if abs(scaled) < 999.5 or unit == units[-1]:
            break
    digits = 3 if abs(scaled) < 0.0995 else 2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0
    return f"{scaled:.{digits}f} {unit}"


def words(name: str, over: str = "") -> str:
    """The name of a row."""
    plain = name.removesuffix("_ns").removesuffix("_ppb").removesuffix("_s").removesuffix("_percent").replace("_", " ")
    way = over or FIGURES[name].over
    return f"{plain}, {way}" if way in ("worst", "best", "rms") else plain


def limit(verdict: Verdict, value: float | None) -> str:
    if value is None:
        return ""
    if verdict.near is not None:
        return f"{show(verdict.figure, verdict.near)} +- {show(verdict.figure, value)}"
    return f"{'>=' if FIGURES[verdict.figure].large else '<='} {show(verdict.figure, value)}"


def rows(report: ScenarioReport) -> list[list[str]]:
    """Head and rows of one scenario's table: a figure, each servo, each published program, must and goal."""
    published: Sequence[Published] = report.scenario.published
    head = ["", *(c.servo for c in report.columns), *(p.name for p in published), "must", "goal"]
    table = [head]
    for name in report.figures:
        for over in ("", "worst") if name in WORST_TOO else ("",):
            row = [words(name, over)]
            for column in report.columns:
                text = show(name, column.figure(name, over))
                ratio = None if over else report.agreement(column, name)
                if ratio is not None:
                    text += f" (x{ratio:.2f})"
                row.append(text)
            row += [show(name, p.figures.get(name)) if not over else "" for p in published]
            row += _limits(report, name, over)
            table.append(row)
    return table


def _limits(report: ScenarioReport, name: str, over: str) -> list[str]:
    usual = FIGURES[name].over
    matching = [
        [v for v in column.verdicts if v.figure == name and (v.over == over or (not over and v.over == usual))]
        for column in report.columns
    ]
    if not matching or not matching[0]:
        return ["", ""]
    verdict = matching[0][0]
    must = "".join(" ok" if vs[0].must else " MISSED" for vs in matching) if verdict.must_limit is not None else ""
    goal = "".join(" ok" if vs[0].goal else " no" for vs in matching) if verdict.goal_limit is not None else ""
    return [limit(verdict, verdict.must_limit) + must, limit(verdict, verdict.goal_limit) + goal]


def summary_rows(reports: Sequence[ScenarioReport]) -> list[list[str]]:
    """Head and rows over many scenarios: the first expected figure of each, one line to a scenario and servo."""
    programs = list(dict.fromkeys(p.name for r in reports for p in r.scenario.published))
    head = ["scenario", "servo", "figure", "ours", *programs, "must", "goal", "mean", "max", "lock",
            "coverage pooled / worst", "with systematic", "bound / rms"]  # fmt: skip
    table = [head]
    for report in reports:
        for column in report.columns:
            name = report.scenario.expect[0].figure if report.scenario.expect else "rms_ns"
            verdict = column.verdicts[0] if column.verdicts else None
            value = verdict.value if verdict is not None else column.figure(name)
            ratio = report.agreement(column, name)
            texts = {p.name: show(name, p.figures.get(name)) for p in report.scenario.published}
            table.append(
                [
                    report.scenario.name,
                    column.servo,
                    words(name, verdict.over if verdict else ""),
                    show(name, value) + (f" (x{ratio:.2f})" if ratio is not None else ""),
                    *(texts.get(program, "") for program in programs),
                    "" if verdict is None else limit(verdict, verdict.must_limit),
                    "" if verdict is None else limit(verdict, verdict.goal_limit),
                    show("mean_ns", column.figure("mean_ns")),
                    show("max_ns", column.figure("max_ns")),
                    show("lock_s", column.figure("lock_s")),
                    f"{_bare(column.figure('coverage_percent'))} / {_bare(column.figure('coverage_percent', 'worst'))}",
                    _bare(column.figure("coverage_sum_percent")),
                    show("bound_ratio", column.figure("bound_ratio")),
                ]
            )
    return table


def _bare(percent: float | None) -> str:
    return "-" if percent is None else f"{percent:.3f}"


def missed(reports: Sequence[ScenarioReport]) -> list[str]:
    """A line for each ``must`` that was not met."""
    return [
        f"{report.scenario.name}, {column.servo}: {words(v.figure, v.over)} is {show(v.figure, v.value)}, "
        f"must be {limit(v, v.must_limit)}"
        for report in reports
        for column in report.columns
        for v in column.verdicts
        if v.must is False
    ]
