"""A grandmaster under attack, in namespaces that belong to this process. See ``python -m tools.flood --help``."""
