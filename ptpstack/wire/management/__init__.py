"""Management messages' dataFields: one table of managementIds (IEEE 1588-2019 15.5, not checked against the text) that
serves octets, ``pmc``'s text and JSON alike.

The codec of messages keeps dataField as octets; what is here is for people and for whoever serves or asks for them.
``rows`` is the table (``standard`` and ``linuxptp``), ``items`` and ``kinds`` what rows are made of. They are loaded
when somebody asks: most nodes are never asked.
"""

from __future__ import annotations

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


def management_id_name(management_id: int) -> str:
    """``DEFAULT_DATA_SET`` ..., or the range the id lies in."""
    from ptpstack.wire.management.rows import MANAGEMENT_IDS

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
