"""What every managementId does that is built in."""

from __future__ import annotations

from ptpstack.protocol.management.clock_ids import CLOCK_IDS
from ptpstack.protocol.management.linuxptp_ids import LINUXPTP_IDS
from ptpstack.protocol.management.option_ids import OPTION_IDS
from ptpstack.protocol.management.port_ids import PORT_IDS
from ptpstack.protocol.management.table import Served
from ptpstack.protocol.management.unicast_ids import UNICAST_IDS

SERVED: dict[int, Served] = {**CLOCK_IDS, **PORT_IDS, **OPTION_IDS, **LINUXPTP_IDS, **UNICAST_IDS}
