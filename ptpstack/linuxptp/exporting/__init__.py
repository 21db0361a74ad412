"""From a site to linuxptp's files: ``sheet`` is a file in the making, the others fill it; see ``exporter``."""
