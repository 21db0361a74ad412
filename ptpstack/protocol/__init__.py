"""IEEE 1588 behaviour without I/O: data sets, best master, port state machine, end-to-end delay.

Rules of this room:

1. ``now`` (ns, monotonic) is an argument; nothing here reads a clock, opens a socket or sleeps.
2. What is to be done comes back as effects (effects.py), in order.
3. Why a port is in its state, or a clock the grandmaster, is a ``Decision`` that stays available.
4. Whatever a stranger sends is counted when it is not used, and can neither raise nor grow anything without a cap.
"""
