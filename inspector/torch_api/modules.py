"""The contents of an `nn.Module`, read from torch's own dictionaries.

The documented methods (`named_children` and so on) can be overridden by the user and take ten times as long.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from types import CodeType
from typing import Any, NamedTuple

import torch
from torch import nn

from inspector.torch_api.capability import Capability


class _Dictionaries(NamedTuple):
    modules: Callable[[nn.Module], Any]
    parameters: Callable[[nn.Module], Any]
    buffers: Callable[[nn.Module], Any]


def _find_dictionaries() -> _Dictionaries:
    empty = vars(nn.Module())
    for name in ("_modules", "_parameters", "_buffers"):
        if not isinstance(empty[name], dict):
            raise TypeError(f"{name} is not a dictionary")
    return _Dictionaries(_modules, _parameters, _buffers)


def _modules(module: nn.Module) -> Any:
    return getattr(module, "_modules", None)  # None if the user's class has not called `super().__init__()`


def _parameters(module: nn.Module) -> Any:
    return module._parameters


def _buffers(module: nn.Module) -> Any:
    return module._buffers


MODULE_DICTIONARIES = Capability(
    "module dictionaries",
    "modules that override named_children or named_parameters are recorded as these methods return them",
    _find_dictionaries,
)


def children_of(module: nn.Module) -> Mapping[str, nn.Module | None] | None:
    """The modules registered in a module, by name; None if it was not initialised."""
    found: Mapping[str, nn.Module | None] | None = _contents(
        lambda parts: parts.modules, module, nn.Module.named_children
    )
    return found


def parameters_in(module: nn.Module) -> Mapping[str, nn.Parameter | None]:
    """The parameters registered in a module itself, by name."""
    found: Mapping[str, nn.Parameter | None] = _contents(lambda parts: parts.parameters, module, _named_parameters)
    return found


def buffers_in(module: nn.Module) -> Mapping[str, torch.Tensor | None]:
    """The buffers registered in a module itself, by name."""
    found: Mapping[str, torch.Tensor | None] = _contents(lambda parts: parts.buffers, module, _named_buffers)
    return found


def _contents(
    choose: Callable[[_Dictionaries], Callable[[nn.Module], Any]],
    module: nn.Module,
    documented: Callable[[nn.Module], Iterable[tuple[str, Any]]],
) -> Any:
    parts = MODULE_DICTIONARIES.parts
    if parts is not None:
        try:
            return choose(parts)(module)
        except Exception as error:
            if isinstance(error, AttributeError):  # of a user's class that has not called `super().__init__()`
                raise
            MODULE_DICTIONARIES.turn_off(error)
    return dict(documented(module))


def _named_parameters(module: nn.Module) -> Iterable[tuple[str, Any]]:
    return nn.Module.named_parameters(module, recurse=False)


def _named_buffers(module: nn.Module) -> Iterable[tuple[str, Any]]:
    return nn.Module.named_buffers(module, recurse=False)


_WRAPPERS: dict[tuple[str, str], str] = {
    ("torch.nn.parallel.distributed", "DistributedDataParallel"): "module",
    ("torch.nn.parallel.data_parallel", "DataParallel"): "module",
    ("torch.distributed.fsdp.fully_sharded_data_parallel", "FullyShardedDataParallel"): "_fsdp_wrapped_module",
    (
        "torch.distributed.algorithms._checkpoint.checkpoint_wrapper",
        "ActivationWrapper",
    ): "_checkpoint_wrapped_module",
    ("torch._dynamo.eval_frame", "OptimizedModule"): "_orig_mod",
}
"""torch's classes of modules that run one other module, by module and name, so that none is imported here, with
the name under which each holds the other."""


@functools.lru_cache(maxsize=1_000)
def _wrapped_name(classes: tuple[type, ...]) -> str | None:
    names = ((base.__module__, base.__qualname__) for base in classes)
    return next((_WRAPPERS[name] for name in names if name in _WRAPPERS), None)


def wrapped_name(module: nn.Module) -> str | None:
    """The name of the one child of a wrapper of torch: `module` in DistributedDataParallel, `_orig_mod` in a
    compiled module. None for other modules, and for a wrapper without it."""
    name = _wrapped_name(type(module).__mro__)
    return name if name is not None and (children_of(module) or {}).get(name) is not None else None


CALL: CodeType = nn.Module.__call__.__code__
"""The code of a call of a module: each running module has one frame with it."""

MODULE_FILE: str = CALL.co_filename
