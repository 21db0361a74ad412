"""What is looked at on the machine, one module for each; every one has ``look`` and ``judge``."""
