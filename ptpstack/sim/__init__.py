"""Discrete-event network of the same engines, servos and simulated clocks: no sockets, no real time, seeded.

A simulated second costs what its events cost; hours fit into a test.
"""
