"""Backward graphs for tests of what only reads structure: given as a list of functions, made without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from inspector.graph import Graph, from_rows, unknown


@dataclass(frozen=True)
class Op:
    """A function: its targets by slot, where it was made, and the norm of what arrived at it.

    shape: of its leaf, for an AccumulateGrad.
    """

    name: str
    targets: Sequence[int] = ()
    module: Any = None
    line: int = 0
    gradient: Any = 1.0
    shape: tuple[int, ...] = (2, 3)


def graph(ops: Sequence[Op], roots: Sequence[int] = (0,)) -> Graph:
    """The Graph of these functions; the k-th has the id `n{k}`, its tensor, if any, `t{k}`."""
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []
    for position, op in enumerate(ops):
        is_leaf = op.name == "AccumulateGrad"
        nodes.append(_function(position, op, is_leaf))
        if is_leaf or position in roots:
            nodes.append(_tensor(position, op, is_leaf))
            ends = (f"n{position}", f"t{position}") if is_leaf else (f"t{position}", f"n{position}")
            edges.append({"source": ends[0], "target": ends[1], "kind": "accumulate" if is_leaf else "grad_fn"})
        for slot, target in enumerate(op.targets):
            edges.append(
                {
                    "source": f"n{position}",
                    "target": f"n{target}",
                    "kind": "next",
                    "slot": slot,
                    "input_nr": 0,
                    "gradient": ops[target].gradient,
                }
            )
    steps = [f"n{position}" for position in range(len(ops))]
    rows = {"nodes": nodes, "edges": edges, "roots": [f"t{root}" for root in roots], "steps": steps, "error": None}
    return from_rows(rows)


def _function(position: int, op: Op, is_leaf: bool) -> dict[str, Any]:
    source = {"file": "script.py", "line": op.line, "code": f"line {op.line}"} if op.line else unknown("not told")
    return {
        "id": f"n{position}",
        "kind": "function",
        "name": op.name,
        "is_leaf": is_leaf,
        "requires_grad": True,
        "module": None if is_leaf else op.module,
        "source": None if is_leaf else source,
        "step": position + 1,
        "attributes": {},
        "empty_slots": [],
        "formula": {},
        "saved": [],
        "before": {"data": 1.0, "grad": None},
        "after": {"data": 1.0, "grad": None},
        "gradient": op.gradient,
    }


def _tensor(position: int, op: Op, is_leaf: bool) -> dict[str, Any]:
    return {
        "id": f"t{position}",
        "kind": "tensor",
        "name": f"w[{position}]" if is_leaf else f"loss{position}",  # no variable: it may be a module's
        "is_leaf": is_leaf,
        "requires_grad": True,
        "grad_fn": None if is_leaf else f"n{position}",
        "retains_grad": False,
        "dtype": "float32",
        "shape": list(op.shape) if is_leaf else [],
        "device": "cpu",
        "version": 0,
        "source": unknown("not told"),
        "before": {"data": unknown("not told"), "grad": None},
        "after": {"data": unknown("not told"), "grad": op.gradient if is_leaf else None},
        "gradient": op.gradient,
    }


class Builder:
    """Writes functions down from the root on, so that the targets of each are known by name later."""

    def __init__(self) -> None:
        self._ops: list[tuple[str, str, list[str], dict[str, Any]]] = []

    def op(self, key: str, name: str, *targets: str, **facts: Any) -> None:
        """A function called `key` in this test; an AccumulateGrad for every target that is never written down."""
        self._ops.append((key, name, list(targets), facts))

    def graph(self) -> Graph:
        """The Graph of all functions; the first one is the root."""
        known = {key: position for position, (key, *_) in enumerate(self._ops)}
        leaves = dict.fromkeys(
            target for _, _, targets, _ in self._ops for target in targets if target not in known
        )
        known.update({leaf: len(self._ops) + index for index, leaf in enumerate(leaves)})
        ops = [Op(name, [known[item] for item in targets], **facts) for _, name, targets, facts in self._ops]
        ops += [Op("AccumulateGrad", shape=(len(leaf.split(".")[-1]),)) for leaf in leaves]
        return graph(ops)


def transformer(layers: int) -> Graph:
    """A model with a tied embedding, a residual stream and `layers` blocks of a linear and a norm."""
    builder = Builder()
    builder.op("loss", "NllLossBackward0", "head", line=50)
    builder.op("head", "MmBackward0", "norm", "wte.weight", module="head", line=9)
    builder.op("norm", "NativeLayerNormBackward0", f"add.{layers - 1}", "norm.weight", module="norm", line=8)
    for layer in reversed(range(layers)):
        path, below = f"blocks.{layer}", f"add.{layer - 1}" if layer else "embedding"
        builder.op(f"add.{layer}", "AddBackward0", below, f"gelu.{layer}", module=path, line=4)
        builder.op(f"gelu.{layer}", "GeluBackward0", f"linear.{layer}", module=path, line=3)
        builder.op(f"linear.{layer}", "AddmmBackward0", f"{path}.bias", f"ln.{layer}", f"t.{layer}",
                   module=f"{path}.linear", line=2)  # fmt: skip
        builder.op(f"t.{layer}", "TBackward0", f"{path}.weight", module=f"{path}.linear", line=2)
        builder.op(
            f"ln.{layer}", "NativeLayerNormBackward0", below, f"{path}.ln.weight", module=f"{path}.ln", line=1
        )
    builder.op("embedding", "EmbeddingBackward0", "wte.weight", module="wte", line=5)
    return builder.graph()


def loop(passes: int) -> Graph:
    """`for x in xs: h = (h @ w + x).tanh()`, then `h.sum()`: no modules, a shared leaf."""
    builder = Builder()
    builder.op("sum", "SumBackward0", f"tanh.{passes - 1}", line=9)
    for step in reversed(range(passes)):
        builder.op(f"tanh.{step}", "TanhBackward0", f"add.{step}", line=3)
        builder.op(f"add.{step}", "AddBackward0", f"mm.{step}", line=3)
        targets = [f"tanh.{step - 1}", "w"] if step else ["h", "w"]
        builder.op(f"mm.{step}", "MmBackward0", *targets, line=3)
    return builder.graph()
