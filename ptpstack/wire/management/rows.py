"""All managementIds, by number and by name, and a dataField for people."""

from __future__ import annotations

from typing import Any

from ptpstack.wire.errors import MalformedFrame
from ptpstack.wire.management.items import ManagementId
from ptpstack.wire.management.linuxptp import LINUXPTP
from ptpstack.wire.management.standard import STANDARD

MANAGEMENT_IDS: dict[int, ManagementId] = {row.number: row for row in STANDARD + LINUXPTP}
IDS_BY_NAME: dict[str, ManagementId] = {row.name: row for row in MANAGEMENT_IDS.values()}
#: linuxptp's name of it
IDS_BY_NAME["NULL_MANAGEMENT"] = MANAGEMENT_IDS[0x0000]


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
