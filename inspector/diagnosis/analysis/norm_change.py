"""Where the gradient norm changes on its path, for vanishing-gradient and exploding-gradient."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Literal

from msgspec import Struct

from inspector.diagnosis.analysis.norm_along_path import LayerEnd, NormAlongPath, NormAtNode
from inspector.diagnosis.backward_view import BackwardView
from inspector.diagnosis.evidence import Evidence
from inspector.graph.values import is_unknown

_NAMED = 5
"""Maximum number of Nodes named in a finding."""


SUDDEN = 1e4
"""Factor by which a single Node multiplies the norm, from which the growth is sudden and not that of layers."""


class NormChange(Struct, frozen=True):
    """A path on which the norm changes.

    first, last: the norm at its ends, divided by a GradScaler's scale. count: number of its Nodes. location: the
    line with most of the change. nodes: the Nodes of that line with the largest changes; names: their description.
    factor: by which such a Node multiplies the norm, on average. parameters: the affected parameters.
    """

    first: float
    last: float
    count: int
    location: Any
    nodes: tuple[str, ...]
    names: str
    factor: float
    parameters: list[str]


def norm_changes(
    evidence: Evidence, depth: NormAlongPath, nodes: set[str], sign: Literal[-1, 1]
) -> Iterator[NormChange]:
    """The changes on the paths to trained leaves whose largest gradient arrives at one of these `nodes`.

    Paths with the same first layer give one NormChange.

    sign: -1 for a norm that falls, 1 for one that rises.
    """
    by_leaf: dict[str, list[LayerEnd]] = defaultdict(list)
    for layer in depth.layers:
        by_leaf[layer.leaf].append(layer)
    ways: dict[str, list[LayerEnd]] = defaultdict(list)
    for leaf, layers in by_leaf.items():
        largest = max(layers, key=lambda layer: layer.step.size)
        if largest.step.node in nodes and evidence.is_trained(depth.call.name(leaf)):
            ways[_way(depth, largest)[-1].node].append(largest)
    for layers in ways.values():
        yield _change(depth, layers, sign)


def spikes(evidence: Evidence, depth: NormAlongPath) -> Iterator[NormChange]:
    """The growth from the root to the layers at which the norm is a spike, if one Node made most of it; those of
    one such Node together."""
    by_node: dict[str, list[LayerEnd]] = defaultdict(list)
    for layer in depth.spikes():
        if evidence.is_trained(depth.call.name(layer.leaf)):
            way = list(depth.path_to_root(layer.step.node))
            steps = [(_log(after.size) - _log(step.size), step.node) for after, step in pairwise(way)]
            if steps and max(steps)[0] > _log(SUDDEN):
                by_node[max(steps)[1]].append(layer)
    for layers in by_node.values():
        far = max(layers, key=lambda layer: layer.step.size)
        yield _along(depth, list(depth.path_to_root(far.step.node)), layers, 1)


def _way(depth: NormAlongPath, layer: LayerEnd) -> list[NormAtNode]:
    """The steps from a layer up to the first layer of its path."""
    return [step for step in depth.path_to_root(layer.step.node) if step.highest is not None]


def _change(depth: NormAlongPath, layers: list[LayerEnd], sign: int) -> NormChange:
    far = max(layers, key=lambda layer: sign * _log(layer.step.size))
    way = _way(depth, far)
    at_layer = [k for k, step in enumerate(way) if step.node in depth.used_at]
    end = max(at_layer, key=lambda k: -sign * _log(way[k].size))  # the largest norm if it falls
    return _along(depth, way[: end + 1], layers, sign)


def _along(depth: NormAlongPath, way: list[NormAtNode], layers: list[LayerEnd], sign: int) -> NormChange:
    """The change on a way. layers: those whose leaves are affected."""
    call = depth.call
    by_node = {step.node: _log(step.size) - _log(after.size) for after, step in pairwise(way)}
    lost = {node: -sign * share for node, share in by_node.items()}
    by_line: dict[str, float] = defaultdict(float)
    for node, share in lost.items():
        by_line[_line(call, node)] += share
    line = max(by_line, key=lambda key: by_line[key])
    of_line = [node for node in lost if _line(call, node) == line and lost[node] > 0]
    most = sorted(of_line, key=lambda node: -lost[node])[:_NAMED]
    kind = Counter(call.functions[node]["name"] for node in most).most_common(1)[0][0]
    scale = call.row.setting.scale or 1.0
    mean = sum(lost[node] for node in most) / len(most)
    return NormChange(
        first=way[-1].size / scale,
        last=way[0].size / scale,
        count=len(way),
        location=call.location(most[0]),
        nodes=tuple(most),
        names=f"{len(of_line)} Nodes like {kind}" if len(of_line) > 1 else kind,
        factor=math.exp(sign * mean),
        parameters=call.names(dict.fromkeys(layer.leaf for layer in layers)),
    )


def _log(size: float) -> float:
    return math.log(max(size, 1e-45))  # the smallest float32: a value flushed to zero was smaller


def _line(call: BackwardView, node: str) -> str:
    """A key for the line that created a Node; if the line is unknown, the name of the Node."""
    source = call.functions[node]["source"]
    if source and not is_unknown(source):
        return f"{source['file']}:{source['line']}"
    return str(call.functions[node]["name"])
