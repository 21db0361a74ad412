"""IEEE 802.1AS: follow_up_info selects it, as in linuxptp, and with it a profile of 802.1AS."""

from __future__ import annotations

from collections.abc import Mapping

from ptpstack.config.profiles import list_profiles
from ptpstack.linuxptp.importing.draft import KEPT, NOT_NEEDED, Draft

PROFILE, AUTOMOTIVE = "802-1as-2020", "automotive"
#: keys that only a port of 802.1AS reads, and where they go
KEYS: Mapping[str, str] = {
    "neighborPropDelayThresh": "delay_threshold_ns",
    "min_neighbor_prop_delay": "min_delay_ns",
    "allowedLostResponses": "allowed_lost_responses",
    "syncReceiptTimeout": "sync_receipt_timeout",
}
_NEEDS = (("network_transport", "L2"), ("delay_mechanism", "P2P"), ("transportSpecific", 1))


def built() -> bool:
    """Whether this ptpstack has IEEE 802.1AS."""
    return PROFILE in list_profiles()


def is_gptp(draft: Draft) -> bool:
    return bool(draft.one("follow_up_info"))


def gptp(draft: Draft) -> None:
    """After the profile has been chosen."""
    settings = draft.settings
    wanted = is_gptp(draft)
    for port in settings.ports:
        if wanted and not built():
            draft.refuse("follow_up_info", "the behaviour of 802.1AS is not built", "use a profile of IEEE 1588", port)
        elif wanted:
            _port(draft, port)
        for key in (*KEYS, "follow_up_info", "asCapable"):
            draft.row(key, NOT_NEEDED, port=port)


def _port(draft: Draft, port: str) -> None:
    settings = draft.settings
    for key, value in _NEEDS:
        if settings.value(key, port) != value:
            draft.refuse(key, f"802.1AS (follow_up_info 1) has {value} and nothing else", f"use {key} {value}", port)
    if settings.text("asCapable", port) == "true" and draft.profile != AUTOMOTIVE:
        draft.refuse("asCapable", "links are taken for capable with static roles only", "use auto, or BMCA noop", port)
    for key, ours in KEYS.items():
        draft.put(f"gptp.{ours}", settings.number(key, port), port)
        draft.row(key, KEPT, f"gptp.{ours}", settings.number(key, port), port=port)
    for key in ("follow_up_info", "asCapable"):
        draft.row(key, KEPT, "instance.profile", draft.profile, port=port)
