"""What analysis refuses, and why."""

from __future__ import annotations


class AnalysisError(ValueError):
    """The input or the wish cannot be met; the text says what is wrong and what to do."""


class MissingPackageError(AnalysisError):
    """A third-party package of the extra ``analysis`` is not installed."""

    def __init__(self, package: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {package}: pip install 'ptpstack[analysis]'")
        self.package = package


#: packages of the extra
_PACKAGES = ("numpy", "allantools", "scipy", "matplotlib")


def as_missing(error: ModuleNotFoundError, purpose: str) -> MissingPackageError:
    """The sentence for a command that could not import this room. Raises ``error`` itself when it is something else.

    ``from ptpstack.analysis.plots import plot_time_error`` fails so where numpy is not installed.
    """
    package = (error.name or "").partition(".")[0]
    if package not in _PACKAGES:
        raise error
    return MissingPackageError(package, purpose)
