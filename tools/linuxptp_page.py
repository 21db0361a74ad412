"""docs/linuxptp.md: what stands above its tables is written by hand, the tables come from keys.toml and the rules."""

from __future__ import annotations

from pathlib import Path

from ptpstack.linuxptp.keys import Key, keys, renamed
from ptpstack.linuxptp.lint import RULES
from ptpstack.linuxptp.lint.companions import COMPANION_RULES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "linuxptp.md"
_HEAD = "## Every key\n"
_WORDS = {"none": "no such thing", "unneeded": "not needed"}


def _ours(key: Key) -> str:
    where = f"`{key.ours}`" if key.ours else _WORDS.get(key.conversion, "")
    if key.conversion in _WORDS and key.ours:
        where = f"{_WORDS[key.conversion]}; {where}"
    return ". ".join(part for part in (where, key.remark) if part).replace("|", "\\|")


def linuxptp() -> str:
    before, _, _ = PAGE.read_text(encoding="utf-8").partition(_HEAD)
    lines = [
        _HEAD,
        "Made from `ptpstack/linuxptp/keys.toml`. Scope `port`: in `[global]` for all ports, or in the section of one. "
        "`port.` is\n`[[instance.port]]`; `unicast.`, `servo.`, `power.`, `management.` and `reference.` are tables "
        "below instance or port.\n",
        "| key | scope | default | values | what it does there | here |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{k.name}` | {k.scope} | `{k.show(k.default) or ' '}` | {k.range} | {k.doc} | {_ours(k)} |"
        for k in keys().values()
    ]
    lines += ["", "Old names: " + ", ".join(f"`{old}` is `{new}`" for old, new in renamed().items()) + "."]
    lines += ["", "## Every rule\n", "| rule | severity | what |", "|---|---|---|"]
    rules = {name: (rule.severity, rule.about) for name, rule in RULES.items()}
    rules |= {name: (severity, about) for name, (severity, about, _) in COMPANION_RULES.items()}
    lines += [f"| `{name}` | {severity} | {about} |" for name, (severity, about) in rules.items()]
    return before + "\n".join(lines) + "\n"
