"""The parts of a recording; each may fail without affecting the others."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TypeVar

from inspector.report import mask_addresses

Result = TypeVar("Result")
Row = TypeVar("Row")

NAMES, PARAMETERS = "names of tensors", "parameters and modules"
TRAINING, RETAINED = "optimizers and changes to grads between the calls", "graphs kept alive"
NESTED = "graphs of reentrant checkpoints"
ORIGINAL = "torchviz's pictures"
STATEMENTS = "statements without effect"
SYMBOLS = "derivatives in symbols"
INVENTORY, EVENTS = "the rows of parameters, modules and optimizers", "events between the calls"
CUTS, FORWARD = "cuts and in-place writes", "lines, modules and values of the forward"
"""The parts: what is unknown if one fails."""


class Parts:
    """Runs the work of each part; a part that raised an internal error is not run again.

    remarks: one sentence for each part that has failed.
    """

    def __init__(self) -> None:
        self._failed: set[str] = set()
        self.remarks: list[str] = []

    def run(self, part: str, work: Callable[[], Result], default: Result) -> Result:
        """The result of `work`, or `default` if it fails or the part has failed before.

        part: the name for the remark: "names of tensors".
        """
        if part in self._failed:
            return default
        try:
            return work()
        except Exception as error:
            self.fail(part, error)
            return default

    def fail(self, part: str, error: Exception) -> None:
        """Note that a part has failed with `error`."""
        if part not in self._failed:
            self._failed.add(part)
            self.remarks.append(f"{part} are no longer recorded: internal error, {described(error)}")


def no_rows(kind: type[Row]) -> list[Row]:
    """The default of a part whose result is rows: an empty list."""
    return []


def described(error: BaseException) -> str:
    """An error in one line: `ValueError: no (in observe, line 4)`."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{one_line(error)} (in {last.name}, line {last.lineno})"


def one_line(error: BaseException) -> str:
    """`RuntimeError: the first line of its message`, addresses masked."""
    lines = str(error).strip().splitlines()
    name = type(error).__name__
    return mask_addresses(f"{name}: {lines[0]}" if lines else name)
