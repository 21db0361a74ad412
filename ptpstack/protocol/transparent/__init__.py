"""Transparent clocks (IEEE 1588-2019 10, 11.5; not checked against the text): PTP passes, with its time inside counted.

``clock`` passes messages and keeps what is inside; a mechanism does what is special to end-to-end (``end_to_end``) or
peer-to-peer (``peer_to_peer``) clocks; ``frames`` reads and writes octets: a message that passes is not decoded.
"""
