"""Management messages' dataFields: one table of managementIds (IEEE 1588-2019 15.5, not checked against the text) that
serves octets, ``pmc``'s text and JSON alike.

The codec of messages keeps dataField as octets; what is here is for people and for whoever serves or asks for them.
``standard`` and ``linuxptp`` hold the rows, ``items`` and ``kinds`` what rows are made of.
"""

from __future__ import annotations

from typing import Any

from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.management.items import ManagementId
from ptpstack.wire.management.linuxptp import LINUXPTP
from ptpstack.wire.management.standard import STANDARD

__all__ = [
    "ACTION_NAMES",
    "ERROR_NAMES",
    "IDS_BY_NAME",
    "MANAGEMENT_IDS",
    "ManagementId",
    "describe_data",
    "management_error_name",
    "management_id_name",
]

GET, SET, RESPONSE, COMMAND, ACKNOWLEDGE = range(5)
ACTION_NAMES = {GET: "GET", SET: "SET", RESPONSE: "RESPONSE", COMMAND: "COMMAND", ACKNOWLEDGE: "ACKNOWLEDGE"}

RESPONSE_TOO_BIG, NO_SUCH_ID, WRONG_LENGTH, WRONG_VALUE, NOT_SETABLE, NOT_SUPPORTED = range(1, 7)
GENERAL_ERROR = 0xFFFE
ERROR_NAMES = {
    RESPONSE_TOO_BIG: "RESPONSE_TOO_BIG",
    NO_SUCH_ID: "NO_SUCH_ID",
    WRONG_LENGTH: "WRONG_LENGTH",
    WRONG_VALUE: "WRONG_VALUE",
    NOT_SETABLE: "NOT_SETABLE",
    NOT_SUPPORTED: "NOT_SUPPORTED",
    GENERAL_ERROR: "GENERAL_ERROR",
}

MANAGEMENT_IDS: dict[int, ManagementId] = {row.number: row for row in STANDARD + LINUXPTP}
IDS_BY_NAME: dict[str, ManagementId] = {row.name: row for row in MANAGEMENT_IDS.values()}
#: linuxptp's name of it
IDS_BY_NAME["NULL_MANAGEMENT"] = MANAGEMENT_IDS[0x0000]


def management_id_name(management_id: int) -> str:
    """``DEFAULT_DATA_SET`` ..., or the range the id lies in."""
    row = MANAGEMENT_IDS.get(management_id)
    if row is not None:
        return row.name
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
    """dataField for people: always its octets, and its fields where the id is known and they fit."""
    described: dict[str, Any] = {"octets": data.hex()}
    row = MANAGEMENT_IDS.get(management_id)
    if row is None or not data:
        return described
    try:
        values, _ = row.decode_prefix(data)
    except MalformedFrame as error:
        described["malformed"] = str(error)
        return described
    return described | row.json(values)
