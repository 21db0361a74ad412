"""The commands of linuxptp (ptp4l, pmc, phc2sys, ts2phc, phc_ctl, hwstamp_ctl), spoken by this stack.

Rules of this package:

1. Options, log lines, sockets and exit status are those that scripts and log scrapers know; docs/linuxptp-commands.md
   lists every one of them, and what differs.
2. What an option means is translated into our own configuration; nothing here decides anything about time.
3. A log line that linuxptp has is written as it writes it; everything else that there is to say is said in our words.
"""
