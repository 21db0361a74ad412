"""Write the documents that are drawn from code and data: port state machines, scenarios. ``--check`` only compares."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from ptpstack.config.reference import rows, tables
from ptpstack.doctor.examine import catalogue
from ptpstack.doctor.findings import SEVERITIES
from ptpstack.protocol.gptp.states import gptp_table
from ptpstack.protocol.instance import Instance
from ptpstack.protocol.options import InstanceOptions, PortOptions
from ptpstack.protocol.states import CLIENT_ONLY, FULL, PASSIVE_ONLY, SERVER_ONLY, PortEvent, StateTable, diagram
from ptpstack.sim.figures import FIGURES
from ptpstack.sim.report import show, words
from ptpstack.sim.scenario import Expectation
from ptpstack.sim.scenario_file import ANCHORS, builtin_scenarios, load_scenario
from ptpstack.sim.schema import SCENARIO
from ptpstack.wire.management.rows import MANAGEMENT_IDS
from tools.linuxptp_page import linuxptp
from tools.profile_table import profiles_page

ROOT = Path(__file__).resolve().parents[1]

MACHINES: tuple[tuple[str, str, StateTable], ...] = (
    ("Ordinary and boundary clocks", "A port that may serve or follow (IEEE 1588-2019 9.2, figure 30).", FULL),
    ("Client-only", "The one port of a slaveOnly instance (figure 31): it never serves.", CLIENT_ONLY),
    ("Server-only", "A masterOnly port (9.2.2.2): it hears no Announce, so it never follows.", SERVER_ONLY),
    ("Told to be silent", "A port whose desired state is passive (17.6).", PASSIVE_ONLY),
    (
        "IEEE 802.1AS",
        "Nobody waits, and who is not asCapable has no role (`protocol/gptp/states.py`).",
        gptp_table(FULL),
    ),
)


def _table(table: StateTable) -> str:
    """Every cell: rows are states, columns events; an empty cell changes nothing and is counted."""
    events = [e for e in PortEvent if any(e in row for row in table.values())]
    lines = ["| state | " + " | ".join(e.value for e in events) + " |", "|---" * (len(events) + 1) + "|"]
    for state, row in table.items():
        cells = [row[e].name if e in row else "" for e in events]
        lines.append(f"| **{state.name}** | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def state_machines() -> str:
    parts = [
        "# Port state machines\n\n"
        "Drawn from the tables in `ptpstack/protocol/states.py` by `tools/generate_docs.py`; a test holds that they "
        "agree.\nThe tables are the machine. Not checked against the text of the standard.\n\n"
        "`recommend-grandmaster` is M1 or M2 of the state decision (no qualification time), `recommend-master` M3, "
        "`recommend-slave`\nS1 with the same parent, `recommend-new-parent` S1 with another one, `recommend-passive` "
        "P1 or P2. An event that is not in the\nrow of a state changes nothing; the port counts it as "
        "`event-ignored-<event>`.\n"
    ]
    for title, about, table in MACHINES:
        parts.append(f"\n## {title}\n\n{about}\n\n```mermaid\n{diagram(table)}```\n\n{_table(table)}")
    return "".join(parts)


_SCENARIOS = """\
# Scenarios: keys, figures, and what there is

Made from `ptpstack/sim/schema.py` and `ptpstack/sim/scenarios/` by `tools/generate_docs.py`; do not edit by hand.
[simulator.md](simulator.md) explains how to use them.

## Built-in scenarios

`ptpstack simulate NAME` runs one, `ptpstack simulate NAME --show` prints its file.

"""


def scenarios() -> str:
    """docs/scenarios.md."""
    names = [*ANCHORS, *(name for name in builtin_scenarios() if name not in ANCHORS)]
    lines = ["| Name | What | Length | Must |", "| --- | --- | --- | --- |"]
    for scenario in map(load_scenario, names):
        must = "; ".join(f"{words(e.figure, e.over)} {_limit(e)}" for e in scenario.expect if e.must is not None)
        lines.append(f"| `{scenario.name}` | {scenario.title} | {scenario.length_s:g} s | {must} |")
    lines += ["", "## Figures", "", "| Figure | Unit | Over seeds | What |", "| --- | --- | --- | --- |"]
    lines += [f"| `{name}` | {f.unit} | {f.over} | {f.doc} |" for name, f in FIGURES.items()]
    lines += ["", "## Top level of a file", "", *rows(SCENARIO), *tables(SCENARIO)]
    return _SCENARIOS + "\n".join(lines) + "\n"


_MANAGEMENT_TABLE = "| id | name | of | served | dataField |\n|---|---|---|---|---|\n"


def management() -> str:
    """docs/management.md: the table at its end; what stands before is written by hand."""
    before, head, _ = (ROOT / "docs" / "management.md").read_text(encoding="utf-8").partition(_MANAGEMENT_TABLE)
    options = InstanceOptions("", bytes(8), (PortOptions(""),))
    served = Instance(options, random.Random(0)).management.served
    lines = []
    for row in MANAGEMENT_IDS.values():
        by = served.get(row.number)
        actions = (
            "-"
            if by is None
            else " ".join(
                letter for letter, does in (("G", by.get), ("S", by.set), ("X", by.command)) if does is not None
            )
        )
        fields = ", ".join(row.fields)
        fields = fields if len(fields) < 120 else f"{fields[:110].rpartition(',')[0]}, ..."
        lines.append(
            f"| 0x{row.number:04X} | {row.name} | {'port' if row.port else 'clock'} | {actions} | {fields} |\n"
        )
    return before + head + "".join(lines)


_DOCTOR_TABLE = "| finding | severity | what it means | what to do |\n|---|---|---|---|\n"


def doctor() -> str:
    """docs/doctor.md: the catalogue at its end; what stands before is written by hand."""
    before, head, _ = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8").partition(_DOCTOR_TABLE)
    kinds = sorted(catalogue(), key=lambda kind: SEVERITIES.index(kind.severity))
    lines = [
        f"| `{kind.id}` | {kind.severity} | {kind.title} | {kind.advice.replace('|', chr(92) + '|')} |"
        for kind in kinds
    ]
    return before + head + "\n".join(lines) + "\n"


def _limit(expect: Expectation) -> str:
    if expect.near is not None:
        return f"{show(expect.figure, expect.near)} ± {show(expect.figure, expect.must)}"
    return f"{'≥' if FIGURES[expect.figure].large else '≤'} {show(expect.figure, expect.must)}"


#: path below the repository's root, and what belongs there
DOCUMENTS = {
    "docs/state-machines.md": state_machines,
    "docs/scenarios.md": scenarios,
    "docs/profiles.md": profiles_page,
    "docs/management.md": management,
    "docs/doctor.md": doctor,
    "docs/linuxptp.md": linuxptp,
}


def main(arguments: list[str]) -> int:
    check = arguments == ["--check"]
    if arguments and not check:
        print("usage: generate_docs.py [--check]", file=sys.stderr)
        return 2
    stale = []
    for name, make in DOCUMENTS.items():
        path, text = ROOT / name, make()
        if check:
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                stale.append(name)
        else:
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{name} is not what the code says: run tools/generate_docs.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
