"""Test beds of network namespaces that run real nodes as processes.

Rules of this room:

1. Everything a lab makes dies with its runner, also when the runner gets SIGKILL: no named namespaces, every child asks
   the kernel for PR_SET_PDEATHSIG, and what slips through (grandchildren) is swept by the next run.
2. Nothing is made outside namespaces of the lab: links are born inside them and never visit the host's.
3. The runner is one thread and one selector. PR_SET_PDEATHSIG is bound to the parent *thread*, so one thread it stays.
4. What went wrong is in the report: a node that died unasked, an answer that did not come, an event that failed.
"""
