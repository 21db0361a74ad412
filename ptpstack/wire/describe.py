"""Messages for people: ``describe`` for JSON, with the standard's field names, and ``one_line`` for a terminal.

Neither raises for a message that ``decode`` gave. Text from the wire is escaped: it may come from a stranger.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ptpstack.wire.codec import encode
from ptpstack.wire.encoders import TIME_FIELD
from ptpstack.wire.management import ACTION_NAMES, management_error_name, management_id_name
from ptpstack.wire.management.rows import describe_data
from ptpstack.wire.messages import (
    Announce,
    DelayResp,
    FollowUp,
    Management,
    Message,
    PdelayReq,
    PdelayResp,
    PdelayRespFollowUp,
    Signaling,
    Sync,
)
from ptpstack.wire.tlv import Tlv
from ptpstack.wire.tlvs.announce import AlternateTimeOffsetIndicator, PathTrace
from ptpstack.wire.tlvs.base import FixedTlv
from ptpstack.wire.tlvs.management import ManagementErrorStatus, ManagementTlv
from ptpstack.wire.tlvs.monitoring import RecordsTlv
from ptpstack.wire.tlvs.organization import ORGANIZATION_TLV_NAMES, OrganizationExtension
from ptpstack.wire.tlvs.port import L1Sync, ProtocolAddress
from ptpstack.wire.tlvs.registry import tlv_name
from ptpstack.wire.tlvs.security import Authentication, Pad
from ptpstack.wire.tlvs.unicast import (
    AcknowledgeCancelUnicastTransmission,
    CancelUnicastTransmission,
    GrantUnicastTransmission,
    RequestUnicastTransmission,
)
from ptpstack.wire.types import Flag, MessageType, format_clock_identity
from ptpstack.wire.values import (
    NETWORK_PROTOCOL_NAMES,
    accuracy_text,
    flag_names,
    identity_text,
    instant_text,
    interval_text,
    json_value,
    safe_text,
    time_source_text,
)

MESSAGE_NAMES: dict[MessageType, str] = {
    MessageType.SYNC: "Sync",
    MessageType.DELAY_REQ: "Delay_Req",
    MessageType.PDELAY_REQ: "Pdelay_Req",
    MessageType.PDELAY_RESP: "Pdelay_Resp",
    MessageType.FOLLOW_UP: "Follow_Up",
    MessageType.DELAY_RESP: "Delay_Resp",
    MessageType.PDELAY_RESP_FOLLOW_UP: "Pdelay_Resp_Follow_Up",
    MessageType.ANNOUNCE: "Announce",
    MessageType.SIGNALING: "Signaling",
    MessageType.MANAGEMENT: "Management",
}

#: what the standard calls the timestamp of each message.
_TIME_NAMES = {
    "origin_ns": "originTimestamp",
    "precise_origin_ns": "preciseOriginTimestamp",
    "receive_ns": "receiveTimestamp",
    "request_receipt_ns": "requestReceiptTimestamp",
    "response_origin_ns": "responseOriginTimestamp",
}


def message_type_name(message_type: int) -> str:
    """``Delay_Req`` ...; ``reserved 0x4`` for the reserved ones."""
    try:
        return MESSAGE_NAMES[MessageType(message_type)]
    except ValueError:
        return f"reserved 0x{message_type:X}"


# ------------------------------------------------------------------------------------------------------- JSON


def describe(message: Message) -> dict[str, Any]:
    """``message`` as JSON-ready values under the standard's names; times raw and readable."""
    fields: dict[str, Any] = {
        "messageType": MESSAGE_NAMES[message.type],
        "majorSdoId": message.sdo_id >> 8,
        "minorSdoId": message.sdo_id & 0xFF,
        "versionPTP": 2,
        "minorVersionPTP": message.minor_version,
        "messageLength": len(encode(message)),
        "domainNumber": message.domain,
        "flagField": {"raw": message.flags, "set": flag_names(message.flags)},
        "correctionField": json_value("correctionField", "ti", message.correction_sns),
        "messageTypeSpecific": message.message_type_specific,
        "sourcePortIdentity": str(message.source),
        "sequenceId": message.sequence_id,
        "controlField": message.control,
        "logMessageInterval": message.log_interval,
    }
    time_field = TIME_FIELD.get(type(message))
    if time_field is not None:
        name = _TIME_NAMES[time_field]
        fields[name] = json_value(name, "ts", getattr(message, time_field))
    if isinstance(message, Announce):
        fields |= {
            "currentUtcOffset": message.current_utc_offset,
            "reserved": message.reserved,
            "grandmasterPriority1": message.priority1,
            "grandmasterClockQuality": {
                "clockClass": message.quality.clock_class,
                "clockAccuracy": json_value("clockAccuracy", "u8", message.quality.clock_accuracy),
                "offsetScaledLogVariance": message.quality.offset_scaled_log_variance,
            },
            "grandmasterPriority2": message.priority2,
            "grandmasterIdentity": format_clock_identity(message.grandmaster),
            "stepsRemoved": message.steps_removed,
            "timeSource": json_value("timeSource", "u8", message.time_source),
        }
    elif isinstance(message, (DelayResp, PdelayResp, PdelayRespFollowUp)):
        fields["requestingPortIdentity"] = str(message.requesting)
    elif isinstance(message, PdelayReq):
        fields["reserved"] = message.reserved.hex()
    elif isinstance(message, (Signaling, Management)):
        fields["targetPortIdentity"] = str(message.target)
    if isinstance(message, Management):
        action = message.action & 0x0F
        fields |= {
            "startingBoundaryHops": message.starting_boundary_hops,
            "boundaryHops": message.boundary_hops,
            "actionField": {"raw": message.action, "meaning": ACTION_NAMES.get(action, "reserved")},
            "reserved": message.reserved,
        }
    if message.tlvs:
        fields["tlvs"] = [describe_tlv(tlv) for tlv in message.tlvs]
    if message.trailing:
        fields["trailing"] = message.trailing.hex()
    return fields


def describe_tlv(tlv: Tlv) -> dict[str, Any]:
    """One TLV as JSON-ready values."""
    fields: dict[str, Any] = {
        "tlvType": tlv.tlv_type,
        "name": tlv_title(tlv),
        "lengthField": len(tlv.value),
    }
    for kind in type(tlv).__mro__:
        describer = _DESCRIBERS.get(kind)
        if describer is not None:
            fields |= describer(tlv)
            break
    extra = getattr(tlv, "extra", b"")
    if extra:
        fields["extra"] = extra.hex()
    return fields


def tlv_title(tlv: Tlv) -> str:
    """The name of a TLV; for an organisation's, that of its organizationSubType."""
    prefix = b""
    if isinstance(tlv, FixedTlv):
        prefix = tlv.PREFIX
    elif isinstance(tlv, OrganizationExtension):
        prefix = tlv.organization_id + tlv.organization_sub_type
    return ORGANIZATION_TLV_NAMES.get(prefix) or tlv_name(tlv.tlv_type)


def _fixed(tlv: FixedTlv) -> dict[str, Any]:
    rows = zip(tlv.STANDARD_NAMES, tlv.LAYOUT.tokens, tlv.field_values(), strict=True)
    return {name: json_value(name, token, value) for name, token, value in rows}


def _records(tlv: RecordsTlv) -> dict[str, Any]:
    head = zip(tlv.HEAD_NAMES, tlv.HEAD.tokens, tlv.HEAD_FIELDS, strict=True)
    fields = {name: json_value(name, token, getattr(tlv, field)) for name, token, field in head}
    fields["records"] = [
        {
            name: json_value(name, token, value)
            for name, token, value in zip(tlv.RECORD_NAMES, tlv.RECORD.tokens, record, strict=True)
        }
        for record in tlv.records
    ]
    return fields


def _management(tlv: ManagementTlv) -> dict[str, Any]:
    return {
        "managementId": {"raw": tlv.management_id, "meaning": management_id_name(tlv.management_id)},
        "dataField": describe_data(tlv.management_id, tlv.data),
    }


def _error(tlv: ManagementErrorStatus) -> dict[str, Any]:
    return {
        "managementErrorId": {"raw": tlv.error_id, "meaning": management_error_name(tlv.error_id)},
        "managementId": {"raw": tlv.management_id, "meaning": management_id_name(tlv.management_id)},
        "reserved": tlv.reserved,
        "displayData": None if tlv.display_data is None else safe_text(tlv.display_data),
    }


def _request(tlv: RequestUnicastTransmission | GrantUnicastTransmission) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "messageType": message_type_name(tlv.message_type),
        "logInterMessagePeriod": tlv.log_inter_message_period,
        "durationField": tlv.duration_s,
    }
    if isinstance(tlv, GrantUnicastTransmission):
        fields |= {"renewalInvited": tlv.renewal_invited, "flags": tlv.flags}
    return fields


def _cancel(tlv: CancelUnicastTransmission | AcknowledgeCancelUnicastTransmission) -> dict[str, Any]:
    return {
        "messageType": message_type_name(tlv.message_type),
        "maintainRequest": bool(tlv.flags & 1),
        "maintainGrant": bool(tlv.flags & 2),
    }


def _alternate_time(tlv: AlternateTimeOffsetIndicator) -> dict[str, Any]:
    return {
        "keyField": tlv.key,
        "currentOffset": tlv.current_offset_s,
        "jumpSeconds": tlv.jump_s,
        "timeOfNextJump": tlv.time_of_next_jump_s,
        "displayName": safe_text(tlv.display_name),
    }


def _l1_sync(tlv: L1Sync) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "capabilities": {
            "raw": tlv.capabilities,
            "set": flag_names(tlv.capabilities, {1: "TCR", 2: "RCR", 4: "CR", 8: "OPE"}),
        },
        "state": {"raw": tlv.state, "set": flag_names(tlv.state, {1: "ITC", 2: "IRC", 4: "IC"})},
    }
    if tlv.extended is not None:
        extended = tlv.extended
        fields |= {
            "extendedFlags": {"raw": extended.flags, "set": flag_names(extended.flags, {1: "TCT", 2: "POV", 4: "FOV"})},
            "phaseOffsetTx": json_value("phaseOffsetTx", "ti", extended.phase_offset_tx_sns),
            "phaseOffsetTxTimestamp": json_value("phaseOffsetTxTimestamp", "ts", extended.phase_offset_tx_ns),
            "freqOffsetTx": json_value("freqOffsetTx", "ti", extended.freq_offset_tx_sns),
            "freqOffsetTxTimestamp": json_value("freqOffsetTxTimestamp", "ts", extended.freq_offset_tx_ns),
        }
    return fields


def _protocol_address(tlv: ProtocolAddress) -> dict[str, Any]:
    protocol, address = tlv.port_address
    return {
        "networkProtocol": {"raw": protocol, "meaning": NETWORK_PROTOCOL_NAMES.get(protocol, "reserved")},
        "addressField": address.hex(),
    }


def _authentication(tlv: Authentication) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "SPP": tlv.spp,
        "secParamIndicator": {
            "raw": tlv.sec_param_indicator,
            "set": flag_names(tlv.sec_param_indicator, {1: "RP", 2: "SP", 4: "DP"}),
        },
        "keyID": tlv.key_id,
    }
    if tlv.icv is not None:
        fields["ICV"] = tlv.icv.hex()
    else:
        fields["optional fields and ICV"] = tlv.rest.hex()
    return fields


def _organization(tlv: OrganizationExtension) -> dict[str, Any]:
    return {
        "organizationId": tlv.organization_id.hex("-"),
        "organizationSubType": tlv.organization_sub_type.hex("-"),
        "dataField": tlv.data.hex(),
    }


_DESCRIBERS: dict[type, Callable[[Any], dict[str, Any]]] = {
    FixedTlv: _fixed,
    RecordsTlv: _records,
    ManagementTlv: _management,
    ManagementErrorStatus: _error,
    RequestUnicastTransmission: _request,
    GrantUnicastTransmission: _request,
    CancelUnicastTransmission: _cancel,
    AcknowledgeCancelUnicastTransmission: _cancel,
    PathTrace: lambda tlv: {"pathSequence": [format_clock_identity(identity) for identity in tlv.path]},
    AlternateTimeOffsetIndicator: _alternate_time,
    L1Sync: _l1_sync,
    ProtocolAddress: _protocol_address,
    Authentication: _authentication,
    Pad: lambda tlv: {"pad": tlv.octets.hex()},
    OrganizationExtension: _organization,
    Tlv: lambda tlv: {"valueField": tlv.value.hex()},
}


# ------------------------------------------------------------------------------------------------ one line


def one_line(message: Message) -> str:
    """``message`` as a person reads it; what is at its usual value is left out."""
    words = [MESSAGE_NAMES[message.type], f"seq {message.sequence_id}", f"dom {message.domain}"]
    if message.sdo_id:
        words.append(f"sdo 0x{message.sdo_id:03X}")
    words.append(f"from {identity_text(message.source)}")
    if isinstance(message, (DelayResp, PdelayResp, PdelayRespFollowUp)):
        words.append(f"to {identity_text(message.requesting)}")
    elif isinstance(message, (Signaling, Management)):
        words.append(f"to {identity_text(message.target)}")
    if isinstance(message, (Sync, PdelayResp)):
        words.append("two-step" if message.flags & Flag.TWO_STEP else "one-step")
    time_field = TIME_FIELD.get(type(message))
    if time_field is not None:
        ns = getattr(message, time_field)
        if ns or isinstance(message, FollowUp):
            words.append(f"time {instant_text(ns)}")
    if message.correction_sns:
        words.append(f"corr {interval_text(message.correction_sns)}")
    if isinstance(message, Announce):
        words += _announce_words(message)
    if message.log_interval != 0x7F:
        words.append(f"log {message.log_interval}")
    if message.flags & Flag.UNICAST:
        words.append("unicast")
    if isinstance(message, Management):
        words.append(ACTION_NAMES.get(message.action & 0x0F, f"action {message.action & 0x0F}"))
    words += [tlv_line(tlv) for tlv in message.tlvs]
    return " ".join(words)


def _announce_words(message: Announce) -> list[str]:
    quality = message.quality
    words = [
        f"gm {format_clock_identity(message.grandmaster)}",
        f"p1 {message.priority1}",
        f"class {quality.clock_class}",
        f"acc 0x{quality.clock_accuracy:02X} ({accuracy_text(quality.clock_accuracy)})",
        f"var 0x{quality.offset_scaled_log_variance:04X}",
        f"p2 {message.priority2}",
        f"steps {message.steps_removed}",
        time_source_text(message.time_source),
        f"utc {message.current_utc_offset:+d}",
    ]
    names = flag_names(message.flags & 0x01FF)
    if names:
        words.append("(" + ", ".join(names) + ")")
    return words


def tlv_line(tlv: Tlv) -> str:
    """One TLV in brackets."""
    if isinstance(tlv, ManagementTlv):
        detail = f"{management_id_name(tlv.management_id)} {len(tlv.data)} octets"
    elif isinstance(tlv, ManagementErrorStatus):
        text = f" {safe_text(tlv.display_data)!r}" if tlv.display_data else ""
        detail = f"{management_error_name(tlv.error_id)} on {management_id_name(tlv.management_id)}{text}"
    elif isinstance(tlv, (RequestUnicastTransmission, GrantUnicastTransmission)):
        verb = "REQUEST" if isinstance(tlv, RequestUnicastTransmission) else "GRANT"
        detail = (
            f"{verb} {message_type_name(tlv.message_type)} log {tlv.log_inter_message_period} for {tlv.duration_s} s"
        )
    elif isinstance(tlv, (CancelUnicastTransmission, AcknowledgeCancelUnicastTransmission)):
        verb = "CANCEL" if isinstance(tlv, CancelUnicastTransmission) else "ACKNOWLEDGE_CANCEL"
        detail = f"{verb} {message_type_name(tlv.message_type)}"
    elif isinstance(tlv, PathTrace):
        detail = "PATH_TRACE " + " > ".join(format_clock_identity(identity) for identity in tlv.path)
    else:
        detail = f"{tlv_title(tlv)} 0x{tlv.tlv_type:04X} {len(tlv.value)} octets"
    return f"[{detail.strip()}]"
