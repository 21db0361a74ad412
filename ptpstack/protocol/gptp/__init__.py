"""IEEE 802.1AS (gPTP): what a time-aware system does that a clock of IEEE 1588 does not. Clauses of 802.1AS-2020, not
checked against the text.

1. A port whose link is not fit for gPTP (``capable``) neither sends nor takes Announce and Sync, and has no role.
2. Links and residence are counted on a clock that runs by itself (``local_clock``): what steers ours is not seen there.
3. A relay hands on the grandmaster's own time stamps (``relay``); what its own servo believes never leaves it.
"""
