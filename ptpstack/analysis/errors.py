"""What analysis refuses, and why."""

from __future__ import annotations


class AnalysisError(ValueError):
    """The input or the wish cannot be met; the text says what is wrong and what to do."""


class MissingPackageError(AnalysisError):
    """A third-party package of the extra ``analysis`` is not installed."""

    def __init__(self, package: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}: pip install 'ptpstack[analysis]'")
        self.package = package
