"""Whose parameters there are, in which modules, and what each watched backward call gave them.

The modules are those that `inspector.record` was given, else those that the script's variables hold when backward
is called. Weak references only.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from inspector.graph.measures import norm
from inspector.graph.values import Value, is_unknown, unknown
from inspector.naming import Names
from inspector.recorder.leaves import GradState, Leaves, grad_of, grad_state
from inspector.summaries import Batch, Pending, dtype_name
from inspector.tracer.ids import Ids
from inspector.tracer.tracing import Tracing

Given: TypeAlias = dict[str, weakref.ref[nn.Module]]
"""Modules by the name that stands before those of their parameters; "" for a single one."""

_HELD_NO_MORE = Pending(unknown("the script had dropped it by then"))


class _Call(NamedTuple):
    """A watched call: which tensor of its graph a parameter was, None for none, and its grad before and after."""

    backward_call: int
    tensor: str | None
    before: Pending
    after: Pending


@dataclass(slots=True)
class _Parameter:
    """What a parameter was when it was last seen, and the calls since it was first."""

    name: str
    shape: torch.Size | None  # None until a lazy one is made
    dtype: torch.dtype
    requires_grad: bool
    calls: list[_Call] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "module": self.name.rpartition(".")[0],
            "shape": [] if self.shape is None else [int(size) for size in self.shape],
            "dtype": dtype_name(self.dtype),
            "requires_grad": self.requires_grad,
            "elements": 0 if self.shape is None else self.shape.numel(),
            "calls": [
                {
                    "backward_call": call.backward_call,
                    "tensor": call.tensor,
                    "before": _norm(call.before.value),
                    "after": _norm(call.after.value),
                }
                for call in self.calls
            ],
        }


@dataclass(slots=True)
class _Module:
    """What a module was when it was last seen. parameters: how many it has itself; elements: of those."""

    reference: weakref.ref[nn.Module]
    name: str
    kind: str
    training: bool
    parameters: int
    elements: int


@dataclass(slots=True)
class Grads:
    """The grads that parameters had when a call began, by their number. batch: of those that are not in its graph,
    whose tracing has looked at the others."""

    batch: Batch
    before: dict[int, Pending]
    states: dict[int, GradState | None] = field(default_factory=dict)


class ModuleInventory:
    """Notes parameters and modules around each watched call: `begins`, then `ends`.

    leaves: which number each parameter has. given: the modules to note; empty for those that the script's
    variables hold.
    """

    def __init__(self, leaves: Leaves, given: Given | None = None) -> None:
        self._leaves = leaves
        self._given = given or {}
        self._parameters: dict[int, _Parameter] = {}
        self._modules: dict[int, _Module] = {}

    def given(self) -> list[tuple[str, nn.Module]]:
        """The given modules that are alive, by their names."""
        return [(name, module) for name, held in self._given.items() if (module := held()) is not None]

    def note(self, names: Names) -> None:
        """Note the modules that there are; names: those of the variables."""
        for prefix, outermost in self.given() if self._given else names.modules():
            tree = names.tree(outermost)
            for path, module in tree.modules:
                self._note_module(_join(prefix, path), module)
            for path, tensor in tree.parameters:
                self._note_parameter(_join(prefix, path), tensor)

    def begins(self, names: Names, tracing: Tracing) -> Grads:
        """A backward call begins; names: those of its tensors."""
        self.note(names)
        grads = Grads(Batch("light"), {})
        for number in self._parameters:
            tensor = self._leaves.tensor(number)
            if tensor is not None:
                _, seen = tracing.find(tensor)
                grads.before[number] = seen.before["grad"] if seen else grads.batch.add(grad_of(tensor))
                if seen is None:
                    grads.states[number] = grad_state(tensor)
        return grads

    def ends(self, index: int, grads: Grads, tracing: Tracing, ids: Ids) -> None:
        """It has ended, and so has the tracing. ids: of the tensors in its graph."""
        for number, before in grads.before.items():
            tensor = self._leaves.tensor(number)
            pair, seen = (None, None) if tensor is None else tracing.find(tensor)
            if tensor is None:
                after = _HELD_NO_MORE
            elif seen is not None:
                after = seen.after["grad"]
            elif grads.states.get(number) == grad_state(tensor):  # another model's: most often nothing came there
                after = before
            else:
                after = grads.batch.add(grad_of(tensor))
            self._parameters[number].calls.append(_Call(index, ids.tensor(pair) if pair else None, before, after))
        grads.batch.read()

    def forget_calls(self) -> None:
        """Only what the next call shows is wanted."""
        for parameter in self._parameters.values():
            parameter.calls.clear()

    def parameters(self) -> list[dict[str, Any]]:
        """The rows of the parameters."""
        return [kept.row() for kept in self._parameters.values()]

    def modules(self) -> list[dict[str, Any]]:
        """The rows of the modules."""
        return [
            {
                "name": kept.name,
                "class": kept.kind,
                "training": kept.training,
                "parameters": kept.parameters,
                "elements": kept.elements,
            }
            for kept in self._modules.values()
        ]

    def _note_module(self, name: str, module: nn.Module) -> None:
        known = self._modules.get(id(module))
        if known is not None and known.reference() is module:
            name = known.name
        own = [tensor for tensor in module._parameters.values() if tensor is not None]
        elements = sum(tensor.numel() for tensor in own if not is_lazy(tensor))
        kind = type(module).__name__
        self._modules[id(module)] = _Module(weakref.ref(module), name, kind, module.training, len(own), elements)

    def _note_parameter(self, name: str, tensor: nn.Parameter) -> None:
        known = self._parameters.get(number := self._leaves.add(tensor))
        name, calls = (name, []) if known is None else (known.name, known.calls)
        shape = None if is_lazy(tensor) else tensor.shape
        self._parameters[number] = _Parameter(name, shape, tensor.dtype, tensor.requires_grad, calls)


def given_modules(model: Any) -> Given:
    """The modules that `inspector.record` is given. Raises TypeError for what are none."""
    if model is None:
        return {}
    if isinstance(model, nn.Module):
        return {"": weakref.ref(model)}
    if isinstance(model, Mapping):
        named = {str(name): item for name, item in model.items()}
    elif isinstance(model, (list, tuple)):
        named = {str(position): item for position, item in enumerate(model)}
    else:
        raise TypeError(f"record(model) takes an nn.Module, or a list or dict of them, no {_kind(model)}")
    for name, item in named.items():
        if not isinstance(item, nn.Module):
            raise TypeError(f"record(model) takes nn.Modules, and [{name}] is no nn.Module but {_kind(item)}")
    if len(named) == 1:
        named = {"": next(iter(named.values()))}
    return {name: weakref.ref(item) for name, item in named.items()}


def given_optimizers(optimizer: Any) -> list[Optimizer]:
    """The optimizers that `inspector.record` is given. Raises TypeError for what are none."""
    if optimizer is None:
        return []
    if isinstance(optimizer, Mapping):
        optimizer = list(optimizer.values())
    found = list(optimizer) if isinstance(optimizer, (list, tuple)) else [optimizer]
    for item in found:
        if not isinstance(item, Optimizer):
            raise TypeError(
                f"record(…, optimizer) takes a torch.optim.Optimizer, or a list or dict of them, no {_kind(item)}"
            )
    return found


def _kind(value: Any) -> str:
    return value.__name__ + " itself" if isinstance(value, type) else type(value).__name__


def _join(prefix: str, path: str) -> str:
    return f"{prefix}.{path}" if prefix and path else prefix or path


def _norm(grad: Value) -> Value:
    """The norm of a grad: None where that is None."""
    return grad if grad is None or is_unknown(grad) else norm(grad)
