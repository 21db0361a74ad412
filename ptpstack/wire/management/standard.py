"""The managementIds of IEEE 1588-2019 15.5.3 (table 59; not checked against the text): scope, actions, layout."""

from __future__ import annotations

from ptpstack.wire.management.items import Bits, Field, Item, ManagementId, Reserved, Table
from ptpstack.wire.management.kinds import (
    ACCURACY,
    ADDRESS,
    CLOCK,
    COUNTED,
    FAULT_TIME,
    HEX16,
    HEX32,
    I8,
    I16,
    I32,
    INSTANT,
    INTERVAL,
    MECHANISM,
    PORT,
    SOURCE,
    STATE,
    TEXT,
    U8,
    U16,
    U48,
    VERSION,
    WHOLE_INTERVAL,
    Kind,
)

_UTC = {"leap61": 0x01, "leap59": 0x02, "currentUtcOffsetValid": 0x04}
_SCALE = {"ptpTimescale": 0x08}
_TRACEABLE = {"timeTraceable": 0x10, "frequencyTraceable": 0x20}


def clock(number: int, name: str, actions: str, *items: Item) -> ManagementId:
    return ManagementId(number, name, False, actions, items)


def port(number: int, name: str, actions: str, *items: Item) -> ManagementId:
    return ManagementId(number, name, True, actions, items)


def quality(prefix: str = "") -> tuple[Item, ...]:
    def field(name: str, kind: Kind) -> Field:
        return Field(name, kind, f"{prefix}{name[0].upper()}{name[1:]}" if prefix else name)

    return field("clockClass", U8), field("clockAccuracy", ACCURACY), field("offsetScaledLogVariance", HEX16)


def _flag(name: str = "enable") -> tuple[Item, ...]:
    return Bits({name: 0x01}), Reserved()


def _octet(name: str, kind: Kind = U8) -> tuple[Item, ...]:
    return Field(name, kind), Reserved()


STANDARD = (
    port(0x0000, "NULL_PTP_MANAGEMENT", "GSX"),
    port(
        0x0001,
        "CLOCK_DESCRIPTION",
        "G",
        Field("clockType", HEX16),
        Field("physicalLayerProtocol", TEXT),
        Field("physicalAddress", COUNTED),
        Field("protocolAddress", ADDRESS),
        Field("manufacturerIdentity", Kind(3), "manufacturerId"),
        Reserved(),
        Field("productDescription", TEXT),
        Field("revisionData", TEXT),
        Field("userDescription", TEXT),
        Field("profileIdentity", Kind(6), "profileId"),
    ),
    clock(0x0002, "USER_DESCRIPTION", "GS", Field("userDescription", TEXT)),
    clock(0x0003, "SAVE_IN_NON_VOLATILE_STORAGE", "X"),
    clock(0x0004, "RESET_NON_VOLATILE_STORAGE", "X"),
    clock(0x0005, "INITIALIZE", "X", Field("initializationKey", HEX16)),
    clock(
        0x0006,
        "FAULT_LOG",
        "G",
        Table(
            "faultRecords",
            (
                Field("faultTime", FAULT_TIME),
                Field("severityCode", U8),
                Field("faultName", TEXT),
                Field("faultValue", TEXT),
                Field("faultDescription", TEXT),
            ),
            U16,
            "numberOfFaultRecords",
            length=U16,
        ),
    ),
    clock(0x0007, "FAULT_LOG_RESET", "X"),
    clock(
        0x2000,
        "DEFAULT_DATA_SET",
        "G",
        Bits({"twoStepFlag": 0x01, "slaveOnly": 0x02}),
        Reserved(),
        Field("numberPorts", U16),
        Field("priority1", U8),
        *quality(),
        Field("priority2", U8),
        Field("clockIdentity", CLOCK),
        Field("domainNumber", U8),
        Reserved(),
    ),
    clock(
        0x2001,
        "CURRENT_DATA_SET",
        "G",
        Field("stepsRemoved", U16),
        Field("offsetFromMaster", INTERVAL),
        Field("meanDelay", INTERVAL, "meanPathDelay"),
    ),
    clock(
        0x2002,
        "PARENT_DATA_SET",
        "G",
        Field("parentPortIdentity", PORT),
        Bits({"parentStats": 0x01}),
        Reserved(),
        Field("observedParentOffsetScaledLogVariance", HEX16),
        Field("observedParentClockPhaseChangeRate", HEX32),
        Field("grandmasterPriority1", U8),
        *quality("gm."),
        Field("grandmasterPriority2", U8),
        Field("grandmasterIdentity", CLOCK),
    ),
    clock(
        0x2003,
        "TIME_PROPERTIES_DATA_SET",
        "G",
        Field("currentUtcOffset", I16),
        Bits({**_UTC, **_SCALE, **_TRACEABLE}),
        Field("timeSource", SOURCE),
    ),
    port(
        0x2004,
        "PORT_DATA_SET",
        "G",
        Field("portIdentity", PORT),
        Field("portState", STATE),
        Field("logMinDelayReqInterval", I8),
        Field("meanLinkDelay", WHOLE_INTERVAL, "peerMeanPathDelay"),
        Field("logAnnounceInterval", I8),
        Field("announceReceiptTimeout", U8),
        Field("logSyncInterval", I8),
        Field("delayMechanism", MECHANISM),
        Field("logMinPdelayReqInterval", I8),
        Field("versionNumber", VERSION),
    ),
    clock(0x2005, "PRIORITY1", "GS", *_octet("priority1")),
    clock(0x2006, "PRIORITY2", "GS", *_octet("priority2")),
    clock(0x2007, "DOMAIN", "GS", *_octet("domainNumber")),
    clock(0x2008, "SLAVE_ONLY", "GS", *_flag("slaveOnly")),
    port(0x2009, "LOG_ANNOUNCE_INTERVAL", "GS", *_octet("logAnnounceInterval", I8)),
    port(0x200A, "ANNOUNCE_RECEIPT_TIMEOUT", "GS", *_octet("announceReceiptTimeout")),
    port(0x200B, "LOG_SYNC_INTERVAL", "GS", *_octet("logSyncInterval", I8)),
    port(0x200C, "VERSION_NUMBER", "GS", *_octet("versionNumber", VERSION)),
    port(0x200D, "ENABLE_PORT", "X"),
    port(0x200E, "DISABLE_PORT", "X"),
    clock(0x200F, "TIME", "GS", Field("currentTime", INSTANT)),
    clock(0x2010, "CLOCK_ACCURACY", "GS", *_octet("clockAccuracy", ACCURACY)),
    clock(0x2011, "UTC_PROPERTIES", "GS", Field("currentUtcOffset", I16), Bits(_UTC), Reserved()),
    clock(0x2012, "TRACEABILITY_PROPERTIES", "GS", Bits(_TRACEABLE), Reserved()),
    clock(0x2013, "TIMESCALE_PROPERTIES", "GS", Bits(_SCALE), Field("timeSource", SOURCE)),
    port(0x2014, "UNICAST_NEGOTIATION_ENABLE", "GS", *_flag()),
    clock(0x2015, "PATH_TRACE_LIST", "G", Table("pathTrace", (Field("clockIdentity", CLOCK, "pathTrace"),))),
    clock(0x2016, "PATH_TRACE_ENABLE", "GS", *_flag()),
    clock(
        0x2017,
        "GRANDMASTER_CLUSTER_TABLE",
        "GS",
        Field("logQueryInterval", I8),
        Table("portAddresses", (Field("portAddress", ADDRESS),), U8),
    ),
    port(
        0x2018,
        "UNICAST_MASTER_TABLE",
        "GS",
        Field("logQueryInterval", I8),
        Table("portAddresses", (Field("portAddress", ADDRESS),), U16),
    ),
    port(0x2019, "UNICAST_MASTER_MAX_TABLE_SIZE", "G", Field("maxTableSize", U16)),
    clock(
        0x201A,
        "ACCEPTABLE_MASTER_TABLE",
        "GS",
        Table("masters", (Field("acceptablePortIdentity", PORT), Field("alternatePriority1", U8)), U16),
    ),
    port(0x201B, "ACCEPTABLE_MASTER_TABLE_ENABLED", "GS", *_flag()),
    clock(0x201C, "ACCEPTABLE_MASTER_MAX_TABLE_SIZE", "G", Field("maxTableSize", U16)),
    port(
        0x201D,
        "ALTERNATE_MASTER",
        "GS",
        Bits({"transmitAlternateMulticastSync": 0x01}),
        Field("logAlternateMulticastSyncInterval", I8),
        Field("numberOfAlternateMasters", U8),
        Reserved(),
    ),
    clock(0x201E, "ALTERNATE_TIME_OFFSET_ENABLE", "GS", Field("keyField", U8), Bits({"enable": 0x01})),
    clock(0x201F, "ALTERNATE_TIME_OFFSET_NAME", "GS", Field("keyField", U8), Field("displayName", TEXT)),
    clock(0x2020, "ALTERNATE_TIME_OFFSET_MAX_KEY", "G", *_octet("maxKey")),
    clock(
        0x2021,
        "ALTERNATE_TIME_OFFSET_PROPERTIES",
        "GS",
        Field("keyField", U8),
        Field("currentOffset", I32),
        Field("jumpSeconds", I32),
        Field("timeOfNextJump", U48),
        Reserved(),
    ),
    clock(0x3000, "EXTERNAL_PORT_CONFIGURATION_ENABLED", "GS", *_flag()),
    port(0x3001, "MASTER_ONLY", "GS", *_flag("masterOnly")),
    clock(0x3002, "HOLDOVER_UPGRADE_ENABLE", "GS", *_flag()),
    port(0x3003, "EXT_PORT_CONFIG_PORT_DATA_SET", "GS", Bits({"acceptableMaster": 0x01}), Field("desiredState", STATE)),
    clock(
        0x4000,
        "TRANSPARENT_CLOCK_DEFAULT_DATA_SET",
        "G",
        Field("clockIdentity", CLOCK),
        Field("numberPorts", U16),
        Field("delayMechanism", MECHANISM),
        Field("primaryDomain", U8),
    ),
    port(
        0x4001,
        "TRANSPARENT_CLOCK_PORT_DATA_SET",
        "G",
        Field("portIdentity", PORT),
        Bits({"faultyFlag": 0x01}),
        Field("logMinPdelayReqInterval", I8),
        Field("meanLinkDelay", WHOLE_INTERVAL, "peerMeanPathDelay"),
    ),
    clock(0x4002, "PRIMARY_DOMAIN", "GS", *_octet("primaryDomain")),
    port(0x6000, "DELAY_MECHANISM", "GS", *_octet("delayMechanism", MECHANISM)),
    port(0x6001, "LOG_MIN_PDELAY_REQ_INTERVAL", "GS", *_octet("logMinPdelayReqInterval", I8)),
)
