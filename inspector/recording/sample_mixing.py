"""Whether the outputs of one sample of a batch depend on the inputs of another: `--check-independence`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any, TypeAlias

import torch
from msgspec import Struct
from torch.autograd.graph import GradientEdge

from inspector.graph.node_kinds import NodeKind, is_kind
from inspector.graph.node_names import op_of
from inspector.recording.engine_hook import unrecorded_calls
from inspector.recording.positions import describe_origin, positions_text, used_positions, weigh_position
from inspector.report import Check, Finding
from inspector.torch_api.modes import hidden
from inspector.torch_api.nodes import output_metadata
from inspector.tracing.roots import gradient_edge
from inspector.tracing.walk import AutogradNode, name_of, walk

RULE = "samples-mix"
_ADVICE = (
    "check view, reshape and transpose, the dimension of softmax and of norms; batch norm in training mode and a "
    "contrastive loss mix by design"
)

Size: TypeAlias = int
Note: TypeAlias = Callable[[AutogradNode], None]
Result: TypeAlias = tuple[list[Finding], list[Check]]


class Samples(Struct, frozen=True):
    """The part of a graph between the first and the last tensors that have a batch.

    dim: the dimension of the samples. size: their number. entries: the Nodes that made the first ones from data.
    exits: the Nodes that made the last ones, whose outputs the loss reduces.
    """

    dim: int
    size: Size
    entries: list[AutogradNode]
    exits: list[AutogradNode]


def check_independence(roots: Sequence[Any], dim: int) -> Result:
    """The finding for the roots of a backward call that is about to run, or what was checked instead.

    The gradient of three samples (the first, the last, one between them) of the last tensors with a batch, with
    random weights, is computed with respect to the first ones. The graph and all grads stay as they are; hooks of
    the script on the Nodes between run again.
    """
    edges = [edge for root in roots if (edge := gradient_edge(root)) is not None]
    samples = find_samples(edges, dim)
    if samples is None:
        reason = f"no batch in dimension {dim} was found, from the data to the root, that no other size equals"
        return [], [Check(rule=RULE, status="not checked", reason=reason)]
    for sample in sorted({0, samples.size // 2, samples.size - 1}):
        found: list[AutogradNode] = []
        reached = _reached(samples, sample, found.append)
        others = sorted(reached - {sample})
        if others:
            return [_finding(samples, sample, others, found[0] if found else None)], []
    return [], [Check(rule=RULE, status="nothing found", reason=None)]


def find_samples(edges: list[tuple[AutogradNode, int]], dim: int) -> Samples | None:
    """The batch of a graph. None if the first tensors that are made from data have no size in common with the last
    ones: such a dimension may be another one, such as the time of a recurrent layer."""
    nodes = walk(edges).nodes
    made_of_data = list(filter(_is_made_of_data, nodes))
    sizes = {size for node in made_of_data if (size := _size(node, dim)) is not None and size > 1}
    last = [node for node in _last(edges) if _size(node, dim) in sizes]
    size = _size(last[0], dim) if last else None
    if size is None or any(_is_ambiguous(node, size) for node in made_of_data):
        return None
    exits = [node for node in last if _size(node, dim) == size]
    entries = [node for node in made_of_data if _size(node, dim) == size and node not in exits]
    return Samples(dim, size, entries, exits) if entries else None


def _is_ambiguous(node: AutogradNode, size: Size) -> bool:
    """Whether the batch and the time of a sequence have the same size, so that they cannot be told apart."""
    shape = _shape(node) or ()
    return len(shape) == len(("batch", "time", "width")) and shape[0] == shape[1] == size


def _is_made_of_data(node: AutogradNode) -> bool:
    """Whether a Node computed its output from a tensor without a gradient and from leaves alone."""
    below = [target for target, _ in node.next_functions]
    if is_kind(name_of(node), NodeKind.RESHAPES) and below and below[0] is not None:  # the last part of a Linear
        return _is_made_of_data(below[0])
    from_leaves = all(target is None or _is_leaf_view(target) for target in below)
    return from_leaves and (None in below or op_of(name_of(node)) in ("embedding", "embedding_bag"))


def _is_leaf_view(node: AutogradNode) -> bool:
    """Whether a Node is a leaf, or a view of one, such as the transpose of a weight."""
    below = [target for target, _ in node.next_functions]
    if hasattr(type(node), "variable"):
        return True
    return len(below) == 1 and below[0] is not None and _is_leaf_view(below[0])


def _last(edges: Iterable[tuple[AutogradNode, int]]) -> Iterator[AutogradNode]:
    """The first Nodes from the roots whose output is more than a number, and those of which they are views."""
    waiting, seen = [node for node, _ in edges], set[AutogradNode]()
    for node in waiting:  # grows during the iteration
        if node in seen:
            continue
        seen.add(node)
        shape = _shape(node)
        if shape:
            yield node
        name = name_of(node)
        keeps = is_kind(name, NodeKind.RESHAPES) or op_of(name) == "log_softmax"
        if not shape or keeps or _is_reduced(node, shape):
            waiting += [target for target, _ in node.next_functions if target is not None]


def _is_reduced(node: AutogradNode, shape: tuple[int, ...]) -> bool:
    """Whether an input of a Node has more dimensions than its output."""
    above = [below for target, _ in node.next_functions if target is not None and (below := _shape(target))]
    return any(len(below) > len(shape) for below in above)


def _shape(node: AutogradNode) -> tuple[int, ...] | None:
    rows = output_metadata(node)
    return tuple(rows[0].shape) if rows else None


def _size(node: AutogradNode, dim: int) -> Size | None:
    shape = _shape(node)
    return shape[dim] if shape is not None and -len(shape) <= dim < len(shape) else None


def _reached(samples: Samples, sample: int, note: Note) -> set[int]:
    """The samples of the first tensors that a sample of the last ones depends on.

    note: called with each Node that passes a gradient to other samples although none arrived there.
    """
    entries = [GradientEdge(node, 0) for node in samples.entries]
    outputs = [GradientEdge(node, 0) for node in samples.exits]
    seeds = [_seed(node, samples.dim, sample) for node in samples.exits]
    with hidden(), unrecorded_calls(), ExitStack() as hooks:
        for node in walk((node, 0) for node in samples.exits).nodes:
            hooks.callback(node.register_hook(_watch(samples, sample, node, note)).remove)
        gradients = torch.autograd.grad(outputs, entries, seeds, retain_graph=True, allow_unused=True)
    arrived = [gradient for gradient in gradients if gradient is not None]
    return {position for gradient in arrived for position in used_positions(gradient, samples.dim)}


def _watch(samples: Samples, sample: int, node: AutogradNode, note: Note) -> Callable[[Any, Any], None]:
    def others(tensor: torch.Tensor | None) -> list[int]:
        if tensor is None or tensor.dim() <= samples.dim or tensor.shape[samples.dim] != samples.size:
            return []
        return [position for position in used_positions(tensor, samples.dim) if position != sample]

    def after(passed: Any, arrived: Any) -> None:
        before = [position for tensor in arrived for position in others(tensor)]
        behind = [position for tensor in passed for position in others(tensor)]
        if behind and not before:
            note(node)

    return after


def _seed(node: AutogradNode, dim: int, sample: int) -> torch.Tensor:
    """Weights for one sample of a Node's output."""
    row = output_metadata(node)[0]  # type: ignore[index]
    return weigh_position(torch.zeros(tuple(row.shape), dtype=row.dtype, device=row.device), dim, sample)


def _finding(samples: Samples, sample: int, others: list[int], node: AutogradNode | None) -> Finding:
    this = f"sample {sample} of {samples.size} in dimension {samples.dim}"
    source, where = (None, "") if node is None else describe_origin(node)
    return Finding(
        rule=RULE,
        severity="warning",
        message=f"{this} depends on {positions_text('sample', others)}{where}",
        advice=_ADVICE,
        location=source,
        backward_call=None,
        nodes=[],
        parameters=[],
        evidence={"dim": samples.dim, "sample": sample, "depends_on": list(others)},
    )
