"""ptpstack: a PTP grandmaster, boundary clock and ordinary clock for Linux."""

__version__ = "0.1.0"
