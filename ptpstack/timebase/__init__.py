"""Instants, intervals, time scales, leap seconds, and estimates that carry their bound.

Rules of this room:

1. An absolute time is an ``int``; its unit is in its name (``_ns``, or ``_sns`` for 2**-16 ns).
2. Floats begin only where a *difference* of two instants enters a filter.
"""
