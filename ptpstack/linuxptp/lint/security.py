"""Authentication."""

from __future__ import annotations

from ptpstack.config.findings import ERROR, WARNING
from ptpstack.linuxptp.lint.rule import Hits, at, one_step, rule, scopes
from ptpstack.linuxptp.settings import Settings


def _signs(s: Settings, port: str) -> bool:
    return s.number("spp", port) >= 0


@rule("spp-without-keys", ERROR)
def spp_without_keys(s: Settings) -> Hits:
    """spp without a file of keys."""
    for port in scopes(s):
        if _signs(s, port) and not s.text("sa_file"):
            yield at(s, "spp", "there is no sa_file; ptp4l refuses", "add sa_file PATH to [global]", port)


@rule("key-unnamed", ERROR)
def key_unnamed(s: Settings) -> Hits:
    """spp without the key that signs."""
    for port in scopes(s):
        if _signs(s, port) and not s.number("active_key_id", port):
            yield at(s, "spp", "there is no active_key_id; ptp4l refuses", "add active_key_id, a key of that spp", port)


@rule("spp-old-version", ERROR)
def spp_old_version(s: Settings) -> Hits:
    """Authentication with PTP 2.0."""
    for port in scopes(s):
        if _signs(s, port) and not s.number("ptp_minor_version"):
            yield at(s, "ptp_minor_version", "authentication needs 2.1; ptp4l refuses", "remove it")


@rule("spp-one-step", ERROR)
def spp_one_step(s: Settings) -> Hits:
    """Authentication of messages that the card changes afterwards."""
    for port in scopes(s):
        if _signs(s, port) and one_step(s):
            yield at(
                s,
                "spp",
                "a card that writes stamps into messages breaks their signature; ptp4l refuses",
                "use two-step",
                port,
            )


@rule("keys-idle", WARNING)
def keys_idle(s: Settings) -> Hits:
    """Keys that no port uses: nothing is signed and everything is believed."""
    if s.text("sa_file") and not any(_signs(s, port) for port in scopes(s)):
        yield at(
            s, "sa_file", "no port has spp: nothing is signed, everything is believed", "add spp and active_key_id"
        )
    for port in scopes(s):
        if s.number("active_key_id", port) and not _signs(s, port):
            yield at(s, "active_key_id", "has no effect without spp", "add spp, or remove it", port)
