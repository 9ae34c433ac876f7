"""Inventory of modules and parameters, and the gradient each recorded call produced.

The modules are those given to `inspector.record`, otherwise those in the script's variables when backward is
called. Holds weak references only.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import torch
from msgspec import Struct, field
from torch import nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from inspector.graph.value_norms import value_norm
from inspector.graph.values import Value, is_unknown, unknown
from inspector.recording.training.leaf_registry import GradState, LeafRegistry, grad_of, grad_state
from inspector.report.row_types import GradNorms, ModuleRow, ParameterRow
from inspector.tensor_stats import Batch, Pending, dtype_name
from inspector.torch_api.leaves_in_use import LEAVES_IN_USE
from inspector.torch_api.modules import children_of, parameters_in, wrapped_name
from inspector.tracing.ids import Ids
from inspector.tracing.snapshot import GraphSnapshot
from inspector.tracing.tensor_facts import TensorSnapshot
from inspector.tracing.traced_graph import Pair
from inspector.user_code.variable_names import Names

Given: TypeAlias = dict[str, weakref.ref[nn.Module]]
"""Modules by the prefix of their parameters' names; "" for a single one."""

_DELETED = Pending(unknown("the script had already deleted it"))
_IN_USE = Pending(unknown("several threads run backward"))


class _Parameter(Struct):
    """A parameter as last seen."""

    name: str
    shape: torch.Size | None  # None for a lazy one without a shape yet
    dtype: torch.dtype
    requires_grad: bool

    @property
    def elements(self) -> int:
        return 0 if self.shape is None else self.shape.numel()

    def row(self, calls: list[GradNorms]) -> ParameterRow:
        return {
            "name": self.name,
            "module": self.name.rpartition(".")[0],
            "shape": [] if self.shape is None else [int(size) for size in self.shape],
            "dtype": dtype_name(self.dtype),
            "requires_grad": self.requires_grad,
            "elements": self.elements,
            "calls": calls,
        }


class _Module(Struct):
    """A module as last seen.

    parameters: the numbers of the parameters it holds itself. wrappers: the classes of the wrappers that run it,
    outermost first.
    """

    reference: weakref.ref[nn.Module]
    name: str
    kind: str
    training: bool
    parameters: list[int]
    wrappers: tuple[str, ...] = ()


class Grads(Struct):
    """The grads of the parameters in one call, by number.

    inside: the tensors of the parameters in the graph, which its tracing reads.
    outside: the grads of the other parameters before the call, and their states. after: their grads after it.
    batch: reads the grads in outside and after.
    """

    batch: Batch
    inside: dict[int, Pair] = field(default_factory=dict)
    outside: dict[int, tuple[Pending, GradState | None]] = field(default_factory=dict)
    after: dict[int, Pending] = field(default_factory=dict)


class _EndedCall(NamedTuple):
    """A recorded call that has ended. seen: the tensors of its graph. ids: of its graph."""

    backward_call: int
    grads: Grads
    seen: Mapping[Pair, TensorSnapshot]
    ids: Ids

    def rows(self, number: int) -> Iterator[GradNorms]:
        """The row of a parameter: its tensor in the graph (or None), and the norms of its grad before and after.
        No row if the parameter did not exist yet."""
        pair, outside = self.grads.inside.get(number), self.grads.outside.get(number)
        if pair is not None:
            seen = self.seen[pair]
            yield self._row(self.ids.tensor(pair), seen.before["grad"], seen.after["grad"])
        elif outside is not None:
            yield self._row(None, outside[0], self.grads.after[number])

    def _row(self, tensor: str | None, before: Pending, after: Pending) -> GradNorms:
        call, norms = self.backward_call, (_norm(before.value), _norm(after.value))
        return {"backward_call": call, "tensor": tensor, "before": norms[0], "after": norms[1]}


class ModuleInventory:
    """Lists parameters and modules around each recorded call: `begins`, then `ends`.

    leaves: the numbers of the parameters. given: the modules to list; empty for those in the script's variables.
    """

    def __init__(self, leaves: LeafRegistry, given: Given | None = None) -> None:
        self._leaves = leaves
        self._given = given or {}
        self._parameters: dict[int, _Parameter] = {}
        self._modules: dict[int, _Module] = {}
        self._ended: list[_EndedCall] = []

    def given(self) -> list[tuple[str, nn.Module]]:
        """The given modules that are alive, with their names."""
        return [(name, module) for name, held in self._given.items() if (module := held()) is not None]

    def note(self, names: Names) -> None:
        """Update the modules and parameters. names: of the script's variables."""
        for prefix, outermost in self.given() if self._given else names.modules():
            tree = names.tree(outermost)
            for path, module, wrappers in _unwrapped(tree.modules):
                self._note_module(_join(prefix, path), module).wrappers = wrappers
            noted: set[int] = set()
            numbers = self._leaves.add_all([tensor for _, _, _, tensor in tree.held])
            for number, (path, module, name, tensor) in zip(numbers, tree.held, strict=True):
                self._modules[id(module)].parameters.append(number)
                if number not in noted:  # modules may share parameters
                    noted.add(number)
                    self._note_parameter(number, prefix, path, name, tensor)

    def begins(self, names: Names, tracing: GraphSnapshot) -> Grads:
        """A backward call starts: read the grads. names: of the script's variables."""
        self.note(names)
        grads = Grads(Batch("light"))
        in_use = LEAVES_IN_USE.may_be_elsewhere
        for number, tensor in zip(self._parameters, self._leaves.tensors(self._parameters), strict=True):
            if tensor is not None:
                pair, seen = tracing.find(tensor)
                if pair is not None and seen is not None:
                    grads.inside[number] = pair
                elif in_use:
                    grads.outside[number] = _IN_USE, None
                else:
                    grads.outside[number] = grads.batch.add(grad_of(tensor)), grad_state(tensor)
        return grads

    def read_after(self, grads: Grads) -> None:
        """After the call: read the grads outside of the graph again, through `grads.batch`."""
        in_use = LEAVES_IN_USE.may_be_elsewhere
        for number, (before, state) in grads.outside.items():
            tensor = self._leaves.tensor(number)
            if tensor is None:
                grads.after[number] = _DELETED
            elif in_use:
                grads.after[number] = _IN_USE
            elif grad_state(tensor) == state:  # the usual case for another model: no gradient reached it
                grads.after[number] = before
            else:
                grads.after[number] = grads.batch.add(grad_of(tensor))

    def ends(self, index: int, grads: Grads, seen: Mapping[Pair, TensorSnapshot], ids: Ids) -> None:
        """The call has ended and its batches were read. seen: the tensors of its graph. ids: of its graph."""
        self._ended.append(_EndedCall(index, grads, seen, ids))

    def forget_calls(self) -> None:
        """Drop all calls, since only the next one is needed."""
        self._ended.clear()

    def parameters(self) -> list[ParameterRow]:
        """The rows of the parameters."""
        return [
            kept.row([row for call in self._ended for row in call.rows(number)])
            for number, kept in self._parameters.items()
        ]

    def modules(self) -> list[ModuleRow]:
        """The rows of the modules."""
        return [self._module_row(kept) for kept in self._modules.values()]

    def _module_row(self, kept: _Module) -> ModuleRow:
        row: ModuleRow = {
            "name": kept.name,
            "class": kept.kind,
            "training": kept.training,
            "parameters": len(kept.parameters),
            "elements": sum(self._parameters[number].elements for number in kept.parameters),
        }
        if kept.wrappers:
            row["wrappers"] = list(kept.wrappers)
        return row

    def _note_module(self, name: str, module: nn.Module) -> _Module:
        known = self._modules.get(id(module))
        if known is None or known.reference() is not module:
            known = _Module(weakref.ref(module), name, type(module).__name__, module.training, [])
            self._modules[id(module)] = known
        known.training, known.parameters = module.training, []
        return known

    def _note_parameter(self, number: int, prefix: str, path: str, name: str, tensor: torch.Tensor) -> None:
        known = self._parameters.get(number)
        if known is None:
            place = _join(_join(prefix, path), name)
            known = self._parameters[number] = _Parameter(place, None, tensor.dtype, tensor.requires_grad)
        has_shape = type(tensor) is nn.Parameter or not is_lazy(tensor)
        known.shape = tensor.shape if has_shape else None
        known.dtype, known.requires_grad = tensor.dtype, tensor.requires_grad


def _unwrapped(modules: list[tuple[str, nn.Module]]) -> Iterator[tuple[str, nn.Module, tuple[str, ...]]]:
    """The modules without torch's wrappers, each with the classes of the wrappers that run it, outermost first.

    A wrapper that holds parameters itself is one of the modules."""
    around: dict[int, tuple[str, ...]] = {}
    for path, module in modules:
        wrappers, name = around.get(id(module), ()), wrapped_name(module)
        inner = None if name is None else (children_of(module) or {}).get(name)
        if inner is not None:
            around[id(inner)] = (*wrappers, type(module).__name__)
        if inner is None or any(item is not None for item in parameters_in(module).values()):
            yield path, module, wrappers


def given_modules(model: Any) -> Given:
    """The modules given to `inspector.record`. Raises TypeError for other objects."""
    if model is None:
        return {}
    if isinstance(model, nn.Module):
        return {"": weakref.ref(model)}
    if isinstance(model, Mapping):
        named = {str(name): item for name, item in model.items()}
    elif isinstance(model, (list, tuple)):
        named = {str(position): item for position, item in enumerate(model)}
    else:
        raise TypeError(f"record(model) must be an nn.Module, or a list or dict of them, got {_kind(model)}")
    for name, item in named.items():
        if not isinstance(item, nn.Module):
            raise TypeError(f"record(model)[{name}] must be an nn.Module, got {_kind(item)}")
    if len(named) == 1:
        named = {"": next(iter(named.values()))}
    return {name: weakref.ref(item) for name, item in named.items()}


def given_optimizers(optimizer: Any) -> list[Optimizer]:
    """The optimizers given to `inspector.record`. Raises TypeError for other objects."""
    if optimizer is None:
        return []
    if isinstance(optimizer, Mapping):
        optimizer = list(optimizer.values())
    found = list(optimizer) if isinstance(optimizer, (list, tuple)) else [optimizer]
    for item in found:
        if not isinstance(item, Optimizer):
            raise TypeError(
                f"record(…, optimizer) must be an Optimizer, or a list or dict of them, got {_kind(item)}"
            )
    return found


def _kind(value: Any) -> str:
    return value.__name__ + " itself" if isinstance(value, type) else type(value).__name__


def _join(prefix: str, path: str) -> str:
    return f"{prefix}.{path}" if prefix and path else prefix or path


def _norm(grad: Value) -> Value:
    """The norm of a grad; None for None."""
    return grad if grad is None or is_unknown(grad) else value_norm(grad)
