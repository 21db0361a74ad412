"""Labs with planted faults: namespaces ``m`` (the machine that is looked at) and ``n`` (the network), on a cable.

The doctor runs as a user runs it, in ``m``, with a view of processes, /proc and /sys that is the lab's alone: what else
runs on the machine that runs the tests is not its business.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.netns import Namespace

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = sys.executable
DOCTOR = f"{PYTHON} -m ptpstack doctor --json"


def doctor(machine: Namespace, arguments: str, *, before: str = "", by: str = "") -> dict[str, Any]:
    """What the doctor says; ``before``: shell commands that run beside it, ``by``: a command that starts it."""
    script = f"{before}\ncd {REPOSITORY}\n{by} {DOCTOR} {arguments}\necho $? >&2"
    command = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script)
    with machine.popen(
        *command, sysfs=True, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        out, err = process.communicate(timeout=60)
    try:
        answer: dict[str, Any] = json.loads(out)
    except ValueError:
        raise AssertionError(f"the doctor gave no JSON: {out[-2000:]} {err[-2000:]}") from None
    answer["exit"] = int(err.split()[-1])
    return answer


def found(answer: dict[str, Any], id_: str, about: str = "") -> list[dict[str, Any]]:
    """Findings of this kind whose subject or evidence holds ``about``."""
    return [f for f in answer["findings"] if f["id"] == id_ and about in f"{f['subject']}|{f['evidence']}"]


def troubles(answer: dict[str, Any]) -> list[str]:
    """Warnings and errors, in short."""
    return [
        f"{f['severity']} {f['id']} {f['subject']}: {f['evidence']}"
        for f in answer["findings"]
        if f["severity"] in ("warning", "error")
    ]


def ids(answer: dict[str, Any], about: str = "") -> set[str]:
    return {f["id"] for f in answer["findings"] if about in f["subject"]}


def names(findings: Iterable[dict[str, Any]]) -> str:
    return ", ".join(sorted(f["id"] for f in findings))
