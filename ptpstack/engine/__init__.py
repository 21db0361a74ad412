"""The sans-I/O whole: instances, servos and clock steering wired together, with three drivers (node, sim, replay).

Rules of this room:

1. An input method takes ``now`` and returns effects in the order in which they must be carried out, at once.
2. Everything that can influence a decision enters by an input method, so that a trace of the inputs is complete.
3. At most one edge steers a clock. Which one is a policy that is stated (discipline.py), not an accident.
"""
