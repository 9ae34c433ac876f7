"""Golden files: what a run must give. `pytest --update-golden` writes them anew; look at the difference in git.

Where a test differs from its file, what it gave is kept in tests/.actual/ under the same name.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from inspector.graph.elements import elements_of

FOLDER = Path(__file__).parent / "golden"
ACTUAL = Path(__file__).parent / ".actual"

MADE_WITH = "2.13."
"""The release of torch that the files were made with: the text of its formulas is that of no other."""


@dataclass(frozen=True)
class Golden:
    """update: write instead of comparing."""

    update: bool

    def check_text(self, name: str, actual: str) -> None:
        """The same bytes."""
        if self._written(name, actual):
            return
        if actual != self._expected(name, actual):
            self._fail(name, actual, "differs")

    def check_json(self, name: str, actual: str) -> None:
        """The same structure, numbers to 1e-5: they come from other machines' libraries, too."""
        if self._written(name, actual):
            return
        difference = _difference(json.loads(self._expected(name, actual)), json.loads(actual), "")
        if difference:
            self._fail(name, actual, difference)

    def _written(self, name: str, actual: str) -> bool:
        if self.update:
            (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
            (FOLDER / name).write_text(actual, encoding="utf-8")
        return self.update

    def _expected(self, name: str, actual: str) -> str:
        try:
            return (FOLDER / name).read_text("utf-8")
        except FileNotFoundError:
            self._fail(name, actual, "is missing")
            raise

    def _fail(self, name: str, actual: str, reason: str) -> None:
        (ACTUAL / name).parent.mkdir(parents=True, exist_ok=True)
        (ACTUAL / name).write_text(actual, encoding="utf-8")
        pytest.fail(f"golden/{name}: {reason}; what came out is .actual/{name} (--update-golden takes it over)")


def _difference(expected: Any, actual: Any, path: str) -> str | None:
    """Where two JSON values differ first; None where they are the same."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        if path.endswith(".formula") and expected.keys() == actual.keys() and not _is_of_this_torch():
            return None
        if list(expected) != list(actual):
            return f"{path}: keys {list(actual)} instead of {list(expected)}"
        if list(expected) == ["counted", "exponent", "counts"]:
            return None if _alike(expected, actual) else f"{path}: {actual} instead of {expected}"
        one, other = _unpacked(expected), _unpacked(actual)
        pairs = [(f"{path}.{key}", one[key], other[key]) for key in one]
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return f"{path}: {len(actual)} items instead of {len(expected)}"
        pairs = [(f"{path}[{k}]", *both) for k, both in enumerate(zip(expected, actual, strict=True))]
    else:
        return None if _same(expected, actual) else f"{path}: {actual!r} instead of {expected!r}"
    return next((found for path, *both in pairs if (found := _difference(*both, path))), None)


def _unpacked(value: dict[str, Any]) -> dict[str, Any]:
    """A summary with its elements as numbers: processors differ in their last bits. Anything else as it is."""
    elements = elements_of(value)
    return value if elements is None else {**value, "elements": elements}


@functools.cache
def _is_of_this_torch() -> bool:
    return importlib.metadata.version("torch").startswith(MADE_WITH)


def _alike(expected: dict[str, Any], actual: dict[str, Any]) -> bool:
    """Whether two histograms are the same, but for a few elements at the edge between two buckets."""
    before, after = (
        {exponent: count for exponent, count in enumerate(found["counts"], found["exponent"] or 0) if count}
        for found in (expected, actual)
    )
    moved = sum(abs(before.get(key, 0) - after.get(key, 0)) for key in before.keys() | after.keys())
    return bool(expected["counted"] == actual["counted"] and moved <= 2 + expected["counted"] // 20)


def _same(expected: Any, actual: Any) -> bool:
    if type(expected) is float and type(actual) is float:
        return bool(actual == pytest.approx(expected, rel=1e-5, abs=1e-5))
    return type(expected) is type(actual) and expected == actual
