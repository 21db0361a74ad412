"""The running time plane: one selector loop that drives channels, clocks and one engine.

Rules of this room:

1. Single-threaded; nothing waits but the loop's selector.
2. What the network sends can cost time, bounded per turn, and nothing else.
3. Every decision is the engine's. The node carries out, and reports what really happened.
"""
