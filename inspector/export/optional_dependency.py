"""The error for formats whose optional dependencies are not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class MissingExtra(Exception):
    """A format needs a package that is not installed. The message is one line with the command that installs
    it."""

    def __init__(self, format: str, extra: str) -> None:
        super().__init__(f'{format} needs the extra {extra!r}: pip install "autograd-inspector[{extra}]"')


@contextmanager
def needs_extra(format: str, extra: str) -> Iterator[None]:
    """Context for the imports of a format: raises MissingExtra for a package that is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtra(format, extra) from error
