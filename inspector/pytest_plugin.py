"""The pytest plugin: `pytest --inspect-gradients` fails the tests whose backward calls have findings.

Also provides the fixture `assert_gradients`, which is `inspector.assert_gradients`. Does not import torch before a
test does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from typing import Any

import pytest

_LEVELS = ("error", "warning")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("autograd-inspector").addoption(
        "--inspect-gradients",
        choices=_LEVELS,
        help="record the backward calls of every test and fail it on findings of this severity or worse",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Watch a test, if that was asked for and torch is imported."""
    level = item.config.getoption("--inspect-gradients")
    if level is None or "torch" not in sys.modules:
        return (yield)
    from inspector.api.diagnose import GradientError
    from inspector.api.record import record

    with record() as recording:
        result = yield
    worse = _LEVELS[: _LEVELS.index(level) + 1]
    findings = [finding for finding in recording.findings if finding.severity in worse]
    if findings:
        raise GradientError(findings)
    return result


@pytest.fixture
def assert_gradients() -> Callable[..., None]:
    """`assert_gradients(loss, model)` raises if something is wrong with the gradients of a loss."""
    from inspector.api.diagnose import assert_gradients as function

    return function
