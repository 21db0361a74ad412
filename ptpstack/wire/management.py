"""managementIds and managementErrorIds (IEEE 1588-2019 15.5, not checked against
the text): their names, and the layout of the data sets whose layout is fixed.

The codec keeps dataField as octets; what is here is for people and for whoever serves or asks for these data sets.
A layout is ``name:token`` for each field, tokens as in ``tlvs.base``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.tlvs.base import Layout
from ptpstack.wire.values import flag_names, json_value

ACTION_NAMES = {0: "GET", 1: "SET", 2: "RESPONSE", 3: "COMMAND", 4: "ACKNOWLEDGE"}

ERROR_NAMES = {
    0x0001: "RESPONSE_TOO_BIG",
    0x0002: "NO_SUCH_ID",
    0x0003: "WRONG_LENGTH",
    0x0004: "WRONG_VALUE",
    0x0005: "NOT_SETABLE",
    0x0006: "NOT_SUPPORTED",
    0xFFFE: "GENERAL_ERROR",
}


class ManagementIdInfo(NamedTuple):
    """``name``; ``fields``: standard names of the dataField, ``layout``: how they lie (None: not a fixed layout);
    ``flags``: names of the bits of the field called flags."""

    name: str
    fields: tuple[str, ...]
    layout: Layout | None
    flags: dict[int, str]


def _row(name: str, spec: str = "", **bits: int) -> ManagementIdInfo:
    if not spec:
        return ManagementIdInfo(name, (), None, {})
    pairs = [part.split(":") for part in spec.split()]
    layout = Layout(" ".join(token for _, token in pairs))
    return ManagementIdInfo(
        name, tuple(field for field, _ in pairs), layout, {mask: flag for flag, mask in bits.items()}
    )


_QUALITY = "clockClass:u8 clockAccuracy:u8 offsetScaledLogVariance:u16"
_ENABLE = "flags:u8 reserved:u8"

MANAGEMENT_IDS: dict[int, ManagementIdInfo] = {
    0x0000: _row("NULL_PTP_MANAGEMENT"),
    0x0001: _row("CLOCK_DESCRIPTION"),
    0x0002: _row("USER_DESCRIPTION"),
    0x0003: _row("SAVE_IN_NON_VOLATILE_STORAGE"),
    0x0004: _row("RESET_NON_VOLATILE_STORAGE"),
    0x0005: _row("INITIALIZE", "initializationKey:u16"),
    0x0006: _row("FAULT_LOG"),
    0x0007: _row("FAULT_LOG_RESET"),
    0x2000: _row(
        "DEFAULT_DATA_SET",
        f"flags:u8 reserved:u8 numberPorts:u16 priority1:u8 {_QUALITY} priority2:u8 clockIdentity:ci domainNumber:u8"
        " reserved2:u8",
        twoStepFlag=0x01,
        slaveOnly=0x02,
    ),
    0x2001: _row("CURRENT_DATA_SET", "stepsRemoved:u16 offsetFromMaster:ti meanDelay:ti"),
    0x2002: _row(
        "PARENT_DATA_SET",
        "parentPortIdentity:pid flags:u8 reserved:u8 observedParentOffsetScaledLogVariance:u16"
        " observedParentClockPhaseChangeRate:i32 grandmasterPriority1:u8"
        f" {_QUALITY} grandmasterPriority2:u8 grandmasterIdentity:ci",
        parentStats=0x01,
    ),
    0x2003: _row(
        "TIME_PROPERTIES_DATA_SET",
        "currentUtcOffset:i16 flags:u8 timeSource:u8",
        leap61=0x01,
        leap59=0x02,
        currentUtcOffsetValid=0x04,
        ptpTimescale=0x08,
        timeTraceable=0x10,
        frequencyTraceable=0x20,
    ),
    0x2004: _row(
        "PORT_DATA_SET",
        "portIdentity:pid portState:u8 logMinDelayReqInterval:i8 meanLinkDelay:ti logAnnounceInterval:i8"
        " announceReceiptTimeout:u8 logSyncInterval:i8 delayMechanism:u8 logMinPdelayReqInterval:i8 versionNumber:u8",
    ),
    0x2005: _row("PRIORITY1", "priority1:u8 reserved:u8"),
    0x2006: _row("PRIORITY2", "priority2:u8 reserved:u8"),
    0x2007: _row("DOMAIN", "domainNumber:u8 reserved:u8"),
    0x2008: _row("SLAVE_ONLY", _ENABLE, slaveOnly=0x01),
    0x2009: _row("LOG_ANNOUNCE_INTERVAL", "logAnnounceInterval:i8 reserved:u8"),
    0x200A: _row("ANNOUNCE_RECEIPT_TIMEOUT", "announceReceiptTimeout:u8 reserved:u8"),
    0x200B: _row("LOG_SYNC_INTERVAL", "logSyncInterval:i8 reserved:u8"),
    0x200C: _row("VERSION_NUMBER", "versionNumber:u8 reserved:u8"),
    0x200D: _row("ENABLE_PORT"),
    0x200E: _row("DISABLE_PORT"),
    0x200F: _row("TIME", "currentTime:ts"),
    0x2010: _row("CLOCK_ACCURACY", "clockAccuracy:u8 reserved:u8"),
    0x2011: _row(
        "UTC_PROPERTIES",
        "currentUtcOffset:i16 flags:u8 reserved:u8",
        leap61=0x01,
        leap59=0x02,
        currentUtcOffsetValid=0x04,
    ),
    0x2012: _row("TRACEABILITY_PROPERTIES", _ENABLE, timeTraceable=0x10, frequencyTraceable=0x20),
    0x2013: _row("TIMESCALE_PROPERTIES", "flags:u8 timeSource:u8", ptpTimescale=0x08),
    0x2014: _row("UNICAST_NEGOTIATION_ENABLE", _ENABLE, enable=0x01),
    0x2015: _row("PATH_TRACE_LIST"),
    0x2016: _row("PATH_TRACE_ENABLE", _ENABLE, enable=0x01),
    0x2017: _row("GRANDMASTER_CLUSTER_TABLE"),
    0x2018: _row("UNICAST_MASTER_TABLE"),
    0x2019: _row("UNICAST_MASTER_MAX_TABLE_SIZE", "maxTableSize:u16"),
    0x201A: _row("ACCEPTABLE_MASTER_TABLE"),
    0x201B: _row("ACCEPTABLE_MASTER_TABLE_ENABLED", _ENABLE, enable=0x01),
    0x201C: _row("ACCEPTABLE_MASTER_MAX_TABLE_SIZE", "maxTableSize:u16"),
    0x201D: _row(
        "ALTERNATE_MASTER",
        "flags:u8 logAlternateMulticastSyncInterval:i8 numberOfAlternateMasters:u8 reserved:u8",
        transmitAlternateMulticastSync=0x01,
    ),
    0x201E: _row("ALTERNATE_TIME_OFFSET_ENABLE", "keyField:u8 flags:u8", enable=0x01),
    0x201F: _row("ALTERNATE_TIME_OFFSET_NAME"),
    0x2020: _row("ALTERNATE_TIME_OFFSET_MAX_KEY", "maxKey:u8 reserved:u8"),
    0x2021: _row(
        "ALTERNATE_TIME_OFFSET_PROPERTIES",
        "keyField:u8 currentOffset:i32 jumpSeconds:i32 timeOfNextJump:u48 reserved:u8",
    ),
    0x3000: _row("EXTERNAL_PORT_CONFIGURATION_ENABLED", _ENABLE, enable=0x01),
    0x3001: _row("MASTER_ONLY", _ENABLE, masterOnly=0x01),
    0x3002: _row("HOLDOVER_UPGRADE_ENABLE", _ENABLE, enable=0x01),
    0x3003: _row("EXT_PORT_CONFIG_PORT_DATA_SET", "flags:u8 desiredState:u8", acceptableMaster=0x01),
    0x4000: _row(
        "TRANSPARENT_CLOCK_DEFAULT_DATA_SET",
        "clockIdentity:ci numberPorts:u16 delayMechanism:u8 primaryDomain:u8",
    ),
    0x4001: _row(
        "TRANSPARENT_CLOCK_PORT_DATA_SET",
        "portIdentity:pid flags:u8 logMinPdelayReqInterval:i8 meanLinkDelay:ti",
        faultyFlag=0x01,
    ),
    0x4002: _row("PRIMARY_DOMAIN", "primaryDomain:u8 reserved:u8"),
    0x6000: _row("DELAY_MECHANISM", "delayMechanism:u8 reserved:u8"),
    0x6001: _row("LOG_MIN_PDELAY_REQ_INTERVAL", "logMinPdelayReqInterval:i8 reserved:u8"),
    0xC000: _row("TIME_STATUS_NP (linuxptp)"),
    0xC001: _row("GRANDMASTER_SETTINGS_NP (linuxptp)"),
    0xC002: _row("PORT_DATA_SET_NP (linuxptp)"),
    0xC003: _row("SUBSCRIBE_EVENTS_NP (linuxptp)"),
    0xC004: _row("PORT_PROPERTIES_NP (linuxptp)"),
    0xC005: _row("PORT_STATS_NP (linuxptp)"),
    0xC006: _row("SYNCHRONIZATION_UNCERTAIN_NP (linuxptp)"),
    0xC007: _row("PORT_SERVICE_STATS_NP (linuxptp)"),
    0xC008: _row("UNICAST_MASTER_TABLE_NP (linuxptp)"),
    0xC009: _row("PORT_HWCLOCK_NP (linuxptp)"),
    0xC00A: _row("POWER_PROFILE_SETTINGS_NP (linuxptp)"),
    0xC00B: _row("CMLDS_INFO_NP (linuxptp)"),
    0xC00C: _row("PORT_CORRECTIONS_NP (linuxptp)"),
    0xC00D: _row("EXTERNAL_GRANDMASTER_PROPERTIES_NP (linuxptp)"),
}


def management_id_name(management_id: int) -> str:
    """``DEFAULT_DATA_SET`` ..., or the range the id lies in."""
    info = MANAGEMENT_IDS.get(management_id)
    if info is not None:
        return info.name
    if 0xC000 <= management_id <= 0xDFFF:
        return f"implementation specific 0x{management_id:04X}"
    if 0xE000 <= management_id <= 0xFFFE:
        return f"profile specific 0x{management_id:04X}"
    return f"reserved 0x{management_id:04X}"


def management_error_name(error_id: int) -> str:
    """``NO_SUCH_ID`` ..., or the range the id lies in."""
    if error_id in ERROR_NAMES:
        return ERROR_NAMES[error_id]
    if 0xC000 <= error_id <= 0xDFFF:
        return f"implementation specific 0x{error_id:04X}"
    if 0xE000 <= error_id <= 0xFFFD:
        return f"profile specific 0x{error_id:04X}"
    return f"reserved 0x{error_id:04X}"


def describe_data(management_id: int, data: bytes) -> dict[str, Any]:
    """dataField for people: its fields where the layout is fixed and fits, and always the octets."""
    described: dict[str, Any] = {"octets": data.hex()}
    info = MANAGEMENT_IDS.get(management_id)
    if info is None or info.layout is None or len(data) < info.layout.size:
        return described
    try:
        values = info.layout.unpack(data, 0, 0)
    except MalformedFrame as error:
        described["malformed"] = str(error)
        return described
    for name, token, value in zip(info.fields, info.layout.tokens, values, strict=True):
        if name == "flags":
            described[name] = {"raw": value, "set": flag_names(value, info.flags)}
        else:
            described[name] = json_value(name, token, value)
    return described
