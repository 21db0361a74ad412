from tests.hil.rig import rig

__all__ = ["rig"]
