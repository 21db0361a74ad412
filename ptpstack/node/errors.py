"""What keeps a node from being put together."""

from __future__ import annotations


class AssemblyError(Exception):
    """The site cannot run on this machine: what, where, and what to do."""
