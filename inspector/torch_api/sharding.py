"""The parameters that `fully_shard` has sharded, and the whole tensors that its forward computes with; those that
FullyShardedDataParallel has flattened into one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias, cast

import torch
from torch import nn

from inspector.graph.row_types import PartRow
from inspector.torch_api.capability import Capability

Pairs: TypeAlias = list[tuple[torch.Tensor, torch.Tensor]]


def _find_pairs() -> Callable[[Any], Pairs]:
    from torch.distributed.fsdp import FSDPModule

    if not callable(FSDPModule._get_fsdp_state):
        raise TypeError("_get_fsdp_state is not a method")
    return _pairs


def _pairs(module: Any) -> Pairs:
    state = module._get_fsdp_state()
    groups = state._fsdp_param_groups if hasattr(state, "_fsdp_param_groups") else [state._fsdp_param_group]
    parameters = [item for group in groups if group is not None for item in group.fsdp_params]
    # the whole one is made by the first forward
    return [
        (item._unsharded_param, item.sharded_param) for item in parameters if hasattr(item, "_unsharded_param")
    ]


SHARDED_PARAMETERS = Capability(
    "sharded parameters",
    "the parameters of a model under fully_shard have no names in graphs",
    _find_pairs,
)


def whole_and_sharded(module: nn.Module) -> Pairs:
    """The parameters that `fully_shard` shards for a module: (the whole tensor that the forward uses, the user's
    parameter). Empty for other modules, and before the first forward."""
    if not _is_fully_sharded(type(module).__mro__):
        return []
    pairs = SHARDED_PARAMETERS.parts
    if pairs is None:
        return []
    try:
        return pairs(module)
    except Exception as error:
        SHARDED_PARAMETERS.turn_off(error)
        return []


@functools.lru_cache(maxsize=1_000)
def _is_fully_sharded(classes: tuple[type, ...]) -> bool:
    names = ((base.__qualname__, base.__module__) for base in classes)
    return any(name == "FSDPModule" and module.startswith("torch.distributed.") for name, module in names)


def is_flat_parameter(tensor: Any) -> bool:
    """Whether FullyShardedDataParallel has made this of several parameters: it is the leaf of graphs."""
    return type(tensor) is nn.Parameter and getattr(tensor, "_is_flat_param", False) is True


def flattened_in(tensor: torch.Tensor) -> list[torch.Tensor]:
    """The parameters that a flat one is made of, with `use_orig_params=True`; none for other tensors."""
    return list(getattr(tensor, "_params", None) or ()) if is_flat_parameter(tensor) else []


class LocalPart(NamedTuple):
    """Which part of a DTensor this process holds.

    placements: `Shard(0)`. number: of this part among all, None if the parts are not disjoint (Partial, or a
    placement of a library). parts: how many make the whole. shape: of the part.
    """

    placements: list[str]
    number: int | None
    parts: int
    shape: list[int]

    def row(self) -> PartRow:
        """It as in a report."""
        return {"placements": self.placements, "number": self.number, "parts": self.parts, "shape": self.shape}


def part_of(tensor: torch.Tensor) -> LocalPart | None:
    """The part of a DTensor in this process, without a collective; None for other tensors."""
    if not hasattr(tensor, "placements") or not hasattr(tensor, "device_mesh"):
        return None
    mesh: Any = tensor.device_mesh
    here = mesh.get_coordinate()
    number: int | None = 0
    parts = 1
    for dimension, placement in enumerate(tensor.placements):
        if placement.is_replicate():
            continue
        is_shard = placement.is_shard() or hasattr(placement, "split_factor")
        size = int(mesh.size(dimension))
        number = number * size + here[dimension] if is_shard and here is not None and number is not None else None
        parts *= size
    local = cast(Any, tensor).to_local()
    return LocalPart([_placement(item) for item in tensor.placements], number, parts, list(map(int, local.shape)))


def _placement(placement: Any) -> str:
    """`Shard(0)`: the same text in every version of torch."""
    name = type(placement).__name__.lstrip("_")
    return f"{name}({placement.dim})" if hasattr(placement, "dim") else name


def sharded_by_whole(modules: Iterable[nn.Module]) -> dict[int, tuple[torch.Tensor, torch.Tensor]]:
    """`whole_and_sharded` of several modules, by the id of the whole tensor, which the result keeps alive."""
    return {id(pair[0]): pair for module in modules for pair in whole_and_sharded(module)}
