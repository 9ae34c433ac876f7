"""Whose parameters there are, in which modules, and what each watched backward call gave them.

The modules are those that `inspector.record` was given, else those that the script's variables hold when backward
is called. Weak references only.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from inspector.graph.measures import norm
from inspector.graph.values import Value, is_unknown, unknown
from inspector.naming import Names
from inspector.summaries import Batch, Pending, dtype_name
from inspector.tracer.tensors import shape_of
from inspector.tracer.tracing import Pair, Tracing

Given: TypeAlias = dict[str, weakref.ref[nn.Module]]
"""Modules by the name that stands before those of their parameters; "" for a single one."""

_HELD_NO_MORE = unknown("the script had dropped it by then")


@dataclass(slots=True)
class _Parameter:
    """A parameter, and for each watched call which tensor of its graph it was and its grad before and after."""

    reference: weakref.ref[nn.Parameter]
    name: str
    module: str
    facts: dict[str, Any]
    calls: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Grads:
    """The grads of the parameters while a backward call runs, by their number."""

    batch: Batch
    before: dict[int, Pending]


class ModuleInventory:
    """Notes parameters and modules around each watched call: `begins`, then `ends`.

    given: the modules to note; empty for those that the script's variables hold.
    """

    def __init__(self, given: Given | None = None) -> None:
        self._given = given or {}
        self._parameters: list[_Parameter] = []
        self._numbers: dict[int, int] = {}
        self._modules: dict[int, tuple[weakref.ref[nn.Module], dict[str, Any]]] = {}

    def given(self) -> list[tuple[str, nn.Module]]:
        """The given modules that are alive, by their names."""
        return [(name, module) for name, held in self._given.items() if (module := held()) is not None]

    def begins(self, names: Names) -> Grads:
        """A backward call begins; names: those of its tensors."""
        for prefix, module in self.given() if self._given else names.modules():
            self._note(prefix, module)
        grads = Grads(Batch("light"), {})
        for number, tensor in self._alive():
            grads.before[number] = grads.batch.add(_grad_of(tensor))
        return grads

    def ends(self, index: int, grads: Grads, tracing: Tracing) -> list[tuple[dict[str, Any], Pair | None]]:
        """It has ended: rows for the parameters, each with its tensor in the graph, whose id the caller fills in
        as `tensor`."""
        alive = dict(self._alive())
        after = {number: grads.batch.add(_grad_of(tensor)) for number, tensor in alive.items()}
        grads.batch.read()
        rows = []
        for number, before in grads.before.items():
            tensor = alive.get(number)
            row = {
                "backward_call": index,
                "tensor": None,
                "before": _norm(before.value),
                "after": _norm(after[number].value) if tensor is not None else _HELD_NO_MORE,
            }
            self._parameters[number].calls.append(row)
            rows.append((row, None if tensor is None else tracing.pair_of(tensor)))
        return rows

    def forget_calls(self) -> None:
        """Only what the next call shows is wanted."""
        for parameter in self._parameters:
            parameter.calls.clear()

    def parameters(self) -> list[dict[str, Any]]:
        """The rows of the parameters."""
        return [
            {"name": kept.name, "module": kept.module, **kept.facts, "calls": kept.calls}
            for kept in self._parameters
        ]

    def modules(self) -> list[dict[str, Any]]:
        """The rows of the modules."""
        return [row for _, row in self._modules.values()]

    def _alive(self) -> Iterator[tuple[int, nn.Parameter]]:
        for number, kept in enumerate(self._parameters):
            tensor = kept.reference()
            if tensor is not None:
                yield number, tensor

    def _note(self, prefix: str, outermost: nn.Module) -> None:
        for path, module in outermost.named_modules():
            self._note_module(".".join(part for part in (prefix, path) if part), module)
        for path, tensor in outermost.named_parameters():
            self._note_parameter(".".join(part for part in (prefix, path) if part), tensor)

    def _note_module(self, name: str, module: nn.Module) -> None:
        held, known = self._modules.get(id(module), (None, {}))
        own = [tensor for tensor in module._parameters.values() if tensor is not None]
        row = {
            "name": known["name"] if held is not None and held() is module else name,
            "class": type(module).__name__,
            "training": module.training,
            "parameters": len(own),
            "elements": sum(tensor.numel() for tensor in own if not is_lazy(tensor)),
        }
        self._modules[id(module)] = (weakref.ref(module), row)

    def _note_parameter(self, name: str, tensor: nn.Parameter) -> None:
        facts = {
            "shape": shape_of(tensor) or [],
            "dtype": dtype_name(tensor.dtype),
            "requires_grad": tensor.requires_grad,
            "elements": 0 if is_lazy(tensor) else tensor.numel(),
        }
        number = self._numbers.get(id(tensor))
        if number is not None and self._parameters[number].reference() is tensor:
            self._parameters[number].facts = facts
            return
        self._numbers[id(tensor)] = len(self._parameters)
        self._parameters.append(_Parameter(weakref.ref(tensor), name, name.rpartition(".")[0], facts))


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


def _grad_of(tensor: torch.Tensor) -> torch.Tensor | None:
    return tensor.grad if tensor.is_leaf else None  # of any other torch warns


def _norm(grad: Value) -> Value:
    """The norm of a grad: None where that is None."""
    return grad if grad is None or is_unknown(grad) else norm(grad)
