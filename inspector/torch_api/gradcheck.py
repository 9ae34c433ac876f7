"""torch's gradcheck without the second pass, which only extends its message."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch

from inspector.torch_api.capability import Capability

_SECOND_PASS = "_run_slow_mode_and_get_error"


def _find_second_pass() -> tuple[Any, Callable[..., Any]]:
    module = sys.modules[torch.autograd.gradcheck.__module__]
    return module, vars(module)[_SECOND_PASS]


SECOND_PASS = Capability(
    "second gradcheck pass", "--gradcheck takes longer if a backward is wrong", _find_second_pass
)


@contextlib.contextmanager
def without_second_pass() -> Iterator[None]:
    """Skip the check of all elements that a failed check in fast mode would run only for its message."""
    found = SECOND_PASS.parts
    if found is None:
        yield
        return
    module, original = found
    setattr(module, _SECOND_PASS, lambda *args, **kwargs: "")
    try:
        yield
    finally:
        setattr(module, _SECOND_PASS, original)
