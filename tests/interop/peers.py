"""Foreign programs that would set the clock of this machine, if they were let."""

from __future__ import annotations

#: In front of a command: without CAP_SYS_TIME it can read every clock and set none, root or not.
UNTOUCHED = ("setpriv", "--bounding-set", "-sys_time", "--inh-caps", "-sys_time")
