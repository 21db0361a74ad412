"""An expert's look at a machine and its PTP network: ``examine.py`` is the door.

Rules:

1. A probe is two things: ``look`` gathers facts and judges nothing; ``judge`` is a pure function of them.
   Tests feed ``judge`` what no laboratory has.
2. Nothing on the machine is changed. What sends (the trial of time stamps) sends what nobody answers; what would have
   to change a setting to look, says so and does not look.
3. A finding is one of the catalogue (``findings.py``): what it means and what to do stand there once, and the documents
   are made from it. The evidence says what was seen, and where.
4. A healthy machine gets no warning. What is merely so (a virtual machine, a free-running master) is a note.
5. What could not be looked at is said, with the reason and how to see it.
"""
