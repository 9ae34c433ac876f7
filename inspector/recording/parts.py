"""The parts of a recording, each of which may fail without the others."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TypeVar

from inspector.report import mask_addresses

Result = TypeVar("Result")
Row = TypeVar("Row")

NAMES, PARAMETERS = "names of tensors", "parameters and modules"
TRAINING, RETAINED = "optimizers and what happens to grads between the calls", "graphs that are kept alive"
ORIGINAL = "torchviz's own pictures"
CUTS, FORWARD = "cuts and writes in place", "lines, modules and values of the forward"
"""The parts: what is unknown where one fails."""


class Parts:
    """Runs the work of each part; one that has raised an error of its own is not asked again.

    remarks: a sentence for each part that has failed.
    """

    def __init__(self) -> None:
        self._failed: set[str] = set()
        self.remarks: list[str] = []

    def run(self, part: str, work: Callable[[], Result], default: Result) -> Result:
        """What `work` returns; `default` where it fails, or this part has failed before.

        part: what the remark says is unknown: "names of tensors".
        """
        if part in self._failed:
            return default
        try:
            return work()
        except Exception as error:
            self.fail(part, error)
            return default

    def fail(self, part: str, error: Exception) -> None:
        """A part has failed with `error`."""
        if part not in self._failed:
            self._failed.add(part)
            self.remarks.append(f"{part} are unknown from here on: {described(error)}")


def no_rows(kind: type[Row]) -> list[Row]:
    """What a part gives that has failed: rows of this kind, and none of them."""
    return []


def described(error: BaseException) -> str:
    """An error of the inspector's own in one line: what, and where it was raised."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"an error of the inspector's own, {one_line(error)} (in {last.name}, line {last.lineno})"


def one_line(error: BaseException) -> str:
    """`RuntimeError: the first line of its message`, addresses masked."""
    lines = str(error).strip().splitlines()
    name = type(error).__name__
    return mask_addresses(f"{name}: {lines[0]}" if lines else name)
