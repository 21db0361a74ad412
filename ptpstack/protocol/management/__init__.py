"""Management of an instance (IEEE 1588-2019 clause 15; not checked against the text).

1. ``responder`` finds out whether a message is for this instance, may do what it wants, and what answers it;
   ``forwarding`` hands on what is (also) for others.
2. What an id does is a row of a table (``table.Served``): a function for GET, one for SET, one for COMMAND. An option
   brings rows of its own (``served``). An id of the standard without a row is NOT_SUPPORTED.
3. A SET changes everything it says, or nothing: handlers look at all values before they change one.
4. What only the engine knows (offset, time, what a channel can) comes through ``Surroundings``.
"""
