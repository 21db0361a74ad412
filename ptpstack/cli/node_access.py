"""What commands that talk to a running node share: the --control option and a way to ask."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from ptpstack.node.client import ControlClient, ControlUnavailable, default_socket

EXIT_REFUSED, EXIT_UNAVAILABLE = 1, 2


def add_control_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--control",
        metavar="PATH",
        default=default_socket(),
        help="the node's control socket (default: $PTPSTACK_CONTROL or %(default)s)",
    )


class NodeRefused(Exception):
    """The command ends with ``status``; what there is to say has been said."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@contextlib.contextmanager
def understood(path: str) -> Iterator[None]:
    """Around the rendering of an answer. NodeRefused, with a line on stderr, when it is not of the shape expected."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        print(
            f"ptpstack: {path}: the answer is not understood ({type(error).__name__}: {error}); is the node of another "
            "version than this command?",
            file=sys.stderr,
        )
        raise NodeRefused(EXIT_UNAVAILABLE) from error


def ask(path: str, cmd: str, **arguments: Any) -> Any:
    """One request, one result. NodeRefused, with the reason on stderr, when there is none."""
    try:
        with ControlClient(path) as client:
            return client.request(cmd, **arguments)
    except ControlUnavailable as error:
        print(f"ptpstack: {error}", file=sys.stderr)
        raise NodeRefused(EXIT_UNAVAILABLE) from error
    except ValueError as error:
        print(f"ptpstack: {error}", file=sys.stderr)
        raise NodeRefused(EXIT_REFUSED) from error
