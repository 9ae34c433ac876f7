"""Where a class fills an attribute, by its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.user_code.attribute_assignment import assignment
from inspector.user_code.paths import UserFiles


class Keeps:
    def __init__(self) -> None:
        self.made = [1, 2]
        self.appended: list[int] = []
        self.items: dict[str, int] = {}
        self.appended.append(1)
        self.items["a"] = 1
        other = self.made
        other.append(3)


@pytest.mark.parametrize(
    ("attribute", "code"),
    [
        ("made", "self.made = [1, 2]"),
        ("appended", "self.appended.append(1)"),
        ("items", 'self.items["a"] = 1'),
    ],
)
def test_the_line_that_fills_an_attribute(attribute: str, code: str) -> None:
    found = assignment(Keeps, attribute, UserFiles(str(Path(__file__).parent)))
    assert found is not None and found["code"] == code


def test_none_where_the_class_does_not_fill_it_or_is_not_the_users() -> None:
    assert assignment(Keeps, "missing", UserFiles(str(Path(__file__).parent))) is None
    assert assignment(Path, "parts", UserFiles(str(Path(__file__).parent))) is None
