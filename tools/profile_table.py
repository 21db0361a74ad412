"""docs/profiles.md: what the profiles that ship say, side by side. Written by tools/generate_docs.py."""

from __future__ import annotations

from ptpstack.config.profiles import BEHAVIOURS, Parameter, Profile, list_profiles, load_profile

_HEAD = """\
# Profiles

Made from `profiles/*.toml` by `tools/generate_docs.py`; do not edit by hand.

A profile is a TOML file of defaults, ranges, clockClasses and named behaviours; no code knows one by name.
`ptpstack profiles NAME` shows one, `ptpstack profiles --print NAME > mine.toml` starts one of your own, with the reason
beside each number, and `ptpstack profiles ./mine.toml` checks it. An instance takes one by `profile = "NAME"` or by
path; values outside its ranges are refused by `ptpstack check`. Behaviours are explained in [options.md](options.md).

No profile was compared with the text it is named after: the numbers are those of public configurations, manuals and
catalogues, and `[?]` in a file marks what these disagree about.
"""

_ROWS = (
    "domain",
    "log_announce_interval",
    "announce_receipt_timeout",
    "log_sync_interval",
    "log_min_delay_req_interval",
    "log_min_pdelay_req_interval",
)


def profiles_page() -> str:
    """The whole document."""
    profiles = [load_profile(name) for name in list_profiles()]
    lines = [_HEAD, "| profile | what | profileIdentifier | transports |", "|---|---|---|---|"]
    for p in profiles:
        identifier = "" if set(p.identifier) <= set("0-") else p.identifier
        lines.append(
            f"| `{p.name}` | {p.title} | {identifier} | {', '.join(_first(p.default_transport, p.transports))} |"
        )
    lines += [
        "",
        "## Intervals",
        "",
        "Default and range, log2 s but for the timeout. The profile's transport stands first.",
        "",
    ]
    rows = [row for row in _ROWS if row in profiles[0].parameters]
    lines += ["| profile | " + " | ".join(rows) + " |", "|---" * (len(rows) + 1) + "|"]
    for p in profiles:
        lines.append(f"| `{p.name}` | " + " | ".join(_cell(p.parameters[row]) for row in rows) + " |")
    lines += [
        "",
        "## clockClass and behaviours",
        "",
        "By state of the reference; of a boundary clock without its master.",
        "",
    ]
    lines += ["| profile | locked | holdover | out of it | free-running | boundary | behaviours |", "|---" * 7 + "|"]
    for p in profiles:
        q = p.quality
        boundary = f"{q.boundary_holdover}, then {q.boundary_out_of_spec}" if q.boundary_holdover else "its own"
        classes = f"{q.locked} | {q.holdover} | {q.holdover_out_of_spec} | {q.free_running} | {boundary}"
        lines.append(f"| `{p.name}` | {classes} | {_behaviours(p)} |")
    return "\n".join(lines) + "\n"


def _first(default: str, names: tuple[str, ...]) -> list[str]:
    return [default, *(name for name in names if name != default)]


def _cell(parameter: Parameter) -> str:
    if parameter.low == parameter.high:
        return f"{parameter.default} fixed"
    return f"{parameter.default} [{parameter.low}..{parameter.high}]"


def _behaviours(profile: Profile) -> str:
    """What is not the default."""
    chosen = [f"{name} {variant}" for name, variant in profile.behaviours.items() if variant != BEHAVIOURS[name][0]]
    return ", ".join(chosen) or "default"
