"""`inspect`, with one capability of torch's broken on purpose.

The environment names it, as in `BROKEN=raises:saved tensors`. absent: torch does not have it. raises: torch has
it, and it fails when it is used.
"""

import importlib
import os
import sys
from types import FunctionType, ModuleType
from typing import Any


class BrokenError(Exception):
    """What a broken part raises."""


def _fails(*arguments: Any, **options: Any) -> Any:
    raise BrokenError("broken on purpose")


def _broken(part: Any) -> Any:
    """A part whose functions raise: a function, or a named tuple of functions and others."""
    if isinstance(part, tuple):
        items = [_broken(item) for item in part]
        return type(part)(*items) if hasattr(part, "_fields") else type(part)(items)
    if isinstance(part, dict):
        return _FailingDict()
    is_function = callable(part) and not isinstance(part, type)
    return _fails if is_function or isinstance(part, FunctionType) else part


class _FailingDict(dict[str, Any]):
    get = _fails


SYMBOLS = {
    "sequence numbers": "torch._C._autograd._get_sequence_nr",
    "version counters": "torch.Tensor._version",
    "current Node": "torch._C._current_autograd_node",
    "mode exclusion switches": "torch._C._len_torch_dispatch_stack",
    "profiler switch": "torch._C._autograd._profiler_enabled",
}
"""What is called so often that the inspector takes torch's own function: that fails from the first call on."""


def break_one(how: str, name: str) -> None:
    """Break the capability with this name as soon as it is defined."""
    import torch

    module = _capability_module()
    define = module.Capability.__init__

    def defined(self: Any, its_name: str, lost: str, find: Any) -> None:
        if its_name == name and (how == "absent" or name in SYMBOLS):
            find = _fails if how == "absent" else find
        elif its_name == name:
            original = find
            find = lambda: _broken(original())  # noqa: E731
        define(self, its_name, lost, find)

    module.Capability.__init__ = defined
    if how == "raises" and name in SYMBOLS:
        owner, _, attribute = SYMBOLS[name].rpartition(".")
        part: Any = torch
        for step in owner.split(".")[1:]:
            part = getattr(part, step)
        setattr(part, attribute, property(_fails) if isinstance(part, type) else _fails)


def _capability_module() -> Any:
    """The module of `Capability`, without the package around it, which would define all of them."""
    import inspector

    package = ModuleType("inspector.torch_api")
    package.__path__ = [f"{inspector.__path__[0]}/torch_api"]
    sys.modules[package.__name__] = package
    module = importlib.import_module("inspector.torch_api.capability")
    del sys.modules[package.__name__]
    return module


def run() -> None:
    how, _, name = os.environ.pop("BROKEN").partition(":")
    if name:
        break_one(how, name)
    from inspector.cli import run

    sys.exit(run())
