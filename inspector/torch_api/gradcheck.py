"""torch's gradcheck without the second pass, which only extends its message."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch

from inspector.torch_api.capability import Capability

_RECOUNT = "_run_slow_mode_and_get_error"


def _find_recount() -> tuple[Any, Callable[..., Any]]:
    module = sys.modules[torch.autograd.gradcheck.__module__]
    return module, vars(module)[_RECOUNT]


RECOUNT = Capability(
    "second pass of gradcheck", "--gradcheck takes longer if a backward is wrong", _find_recount
)


@contextlib.contextmanager
def without_recount() -> Iterator[None]:
    """Skip the check of all elements that a failed check in fast mode would run only for its message."""
    found = RECOUNT.parts
    if found is None:
        yield
        return
    module, original = found
    setattr(module, _RECOUNT, lambda *args, **kwargs: "")
    try:
        yield
    finally:
        setattr(module, _RECOUNT, original)
