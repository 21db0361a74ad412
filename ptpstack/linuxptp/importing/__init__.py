"""From linuxptp's settings to a site file, one concern to a module; ``importer`` puts them together."""
