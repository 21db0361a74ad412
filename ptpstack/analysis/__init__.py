"""How good was the time? Figures, deviations, masks and plots of recorded time error.

Rules of this room:

1. It reads files and computes; it never touches a clock, a socket or a running node, and nothing of the time plane
   imports it. numpy, allantools and matplotlib (``pip install 'ptpstack[analysis]'``) are used here and nowhere below.
2. Nothing is dropped, filled or assumed without being told: what a reader could not parse, what lay in a gap, which
   unit was guessed. Every such thing is a sentence in the result.
3. A limit from a Recommendation carries its source and whether anybody has compared it with the text.
4. Time error is this clock minus its reference, ns. ``t_s`` is seconds from the first sample of a file (a difference,
   so a float is exact enough).
"""
