"""managementIds of linuxptp's own (implementation specific range). Its programs, pmc and phc2sys among them, ask for
them; their layouts are known from what is on the wire. A program other than ptp4l that answers them is as good to them.
"""

from __future__ import annotations

from ptpstack.wire.management.items import Bits, Field, Item, Reserved, Table
from ptpstack.wire.management.kinds import (
    ACCURACY,
    ADDRESS,
    BOOL32,
    CLOCK,
    HEX16,
    I16,
    I32,
    I64,
    INTERVAL,
    LITTLE64,
    LITTLE_INTERVAL,
    PORT,
    RATIO,
    SCALED_NS,
    SOURCE,
    STATE,
    TEXT,
    U8,
    U16,
    U32,
    Named,
)
from ptpstack.wire.management.standard import clock, port, quality

TIMESTAMPING = Named(1, {0: "SOFTWARE", 1: "HARDWARE", 2: "LEGACY_HW", 3: "ONESTEP", 4: "P2P1STEP"})

#: by messageType; None: reserved
_TYPES = ("Sync", "Delay_Req", "Pdelay_Req", "Pdelay_Resp", None, None, None, None, "Follow_Up", "Delay_Resp",
          "Pdelay_Resp_Follow_Up", "Announce", "Signaling", "Management", None, None)  # fmt: skip

_SERVICE = ("announce_timeout", "sync_timeout", "delay_timeout", "unicast_service_timeout", "unicast_request_timeout",
            "master_announce_timeout", "master_sync_timeout", "qualification_timeout", "sync_mismatch",
            "followup_mismatch")  # fmt: skip


def _counters(direction: str) -> list[Item]:
    return [Reserved(8) if name is None else Field(f"{direction}_{name}", LITTLE64) for name in _TYPES]


LINUXPTP = (
    clock(
        0xC000,
        "TIME_STATUS_NP",
        "G",
        Field("master_offset", I64),
        Field("ingress_time", I64),
        Field("cumulativeScaledRateOffset", RATIO),
        Field("scaledLastGmPhaseChange", I32),
        Field("gmTimeBaseIndicator", U16),
        Field("lastGmPhaseChange", SCALED_NS),
        Field("gmPresent", BOOL32),
        Field("gmIdentity", CLOCK),
    ),
    clock(
        0xC001,
        "GRANDMASTER_SETTINGS_NP",
        "GS",
        *quality(),
        Field("currentUtcOffset", I16),
        Bits(
            {
                "leap61": 0x01,
                "leap59": 0x02,
                "currentUtcOffsetValid": 0x04,
                "ptpTimescale": 0x08,
                "timeTraceable": 0x10,
                "frequencyTraceable": 0x20,
            }
        ),
        Field("timeSource", SOURCE),
    ),
    port(0xC002, "PORT_DATA_SET_NP", "GS", Field("neighborPropDelayThresh", U32), Field("asCapable", I32)),
    clock(
        0xC003,
        "SUBSCRIBE_EVENTS_NP",
        "GS",
        Field("duration", U16),
        Bits(
            {
                "NOTIFY_PORT_STATE": 0x01,
                "NOTIFY_TIME_SYNC": 0x02,
                "NOTIFY_PARENT_DATA_SET": 0x04,
                "NOTIFY_CMLDS": 0x08,
            },
            name="events",
            size=64,
            order="little",
            words=("off", "on"),
        ),
    ),
    port(
        0xC004,
        "PORT_PROPERTIES_NP",
        "G",
        Field("portIdentity", PORT),
        Field("portState", STATE),
        Field("timestamping", TIMESTAMPING),
        Field("interface", TEXT),
    ),
    port(0xC005, "PORT_STATS_NP", "G", Field("portIdentity", PORT), *_counters("rx"), *_counters("tx")),
    clock(0xC006, "SYNCHRONIZATION_UNCERTAIN_NP", "GS", Field("uncertain", U8), Reserved()),
    port(
        0xC007,
        "PORT_SERVICE_STATS_NP",
        "G",
        Field("portIdentity", PORT),
        *(Field(name, LITTLE64) for name in _SERVICE),
    ),
    port(
        0xC008,
        "UNICAST_MASTER_TABLE_NP",
        "G",
        Table(
            "unicastMasters",
            (
                Field("portIdentity", PORT),
                Field("clockClass", U8),
                Field("clockAccuracy", ACCURACY),
                Field("offsetScaledLogVariance", HEX16),
                Field("selected", U8),
                Field("portState", U8),
                Field("priority1", U8),
                Field("priority2", U8),
                Field("portAddress", ADDRESS),
            ),
            U16,
        ),
    ),
    port(
        0xC009,
        "PORT_HWCLOCK_NP",
        "G",
        Field("portIdentity", PORT),
        Field("phc_index", I32),
        Field("flags", U8),
        Reserved(),
    ),
    clock(
        0xC00A,
        "POWER_PROFILE_SETTINGS_NP",
        "GS",
        Field("version", U16),
        Field("grandmasterID", U16),
        Field("grandmasterTimeInaccuracy", U32),
        Field("networkTimeInaccuracy", U32),
        Field("totalTimeInaccuracy", U32),
    ),
    port(
        0xC00B,
        "CMLDS_INFO_NP",
        "G",
        Field("meanLinkDelay", INTERVAL),
        Field("scaledNeighborRateRatio", I32),
        Field("as_capable", U32),
    ),
    # in the octet order of the machine, whatever the network's is
    port(
        0xC00C,
        "PORT_CORRECTIONS_NP",
        "GS",
        Field("egressLatency", LITTLE_INTERVAL),
        Field("ingressLatency", LITTLE_INTERVAL),
        Field("delayAsymmetry", LITTLE_INTERVAL),
    ),
    clock(0xC00D, "EXTERNAL_GRANDMASTER_PROPERTIES_NP", "GS", Field("gmIdentity", CLOCK), Field("stepsRemoved", U16)),
)
