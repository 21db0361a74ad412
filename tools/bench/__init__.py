"""Measures of a running ``ptpstack gm``, beside ptp4l in the same run. See ``python -m tools.bench --help``."""
