"""Reads what is compared between ranks from one report, and nothing else of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from inspector.merging.bucket_on_rank import BucketOnRank, Wrapper, buckets_on_rank
from inspector.merging.tensor_on_rank import TensorOnRank, measure
from inspector.report import ReportError
from inspector.util.os_errors import reason

REDUCED_BY = "DistributedDataParallel"
"""The wrapper that replaces local gradients by their mean over all ranks."""


class PartOnRank(Struct):
    """Which part of a DTensor a rank holds, see `PartRow`."""

    number: int | None
    parts: int


class _State(Struct):
    data: Any
    grad: Any


class _Node(Struct, tag_field="kind"):
    id: str


class _Function(_Node, tag="function"):
    name: str
    gradient: Any
    source: Any


class _Tensor(_Node, tag="tensor"):
    name: str | None
    before: _State
    after: _State
    part: PartOnRank | None = None


class _Fold(_Node, tag="fold"):
    name: str


class _Edge(Struct):
    source: str
    target: str
    kind: str
    slot: int = 0
    input_nr: int = 0


class _Graph(Struct):
    nodes: list[_Function | _Tensor | _Fold]
    edges: list[_Edge]
    roots: list[str]
    steps: list[str]
    error: str | None = None


class _Call(Struct):
    index: int
    location: Any
    graph: _Graph
    scale: Any = None
    wanted: list[str] | None = None
    wrappers: list[Wrapper] = []


class _Norms(Struct):
    backward_call: int
    after: Any


class _Parameter(Struct):
    name: str
    requires_grad: bool
    calls: list[_Norms]


class _Module(Struct):
    name: str
    wrappers: list[str] = []


class _Leaf(Struct):
    name: str
    source: Any = None


class _File(Struct):
    script: str
    exit: dict[str, Any]
    backward_calls: list[_Call]
    parameters: list[_Parameter]
    modules: list[_Module]
    findings: list[dict[str, Any]]
    leaves: list[_Leaf] = []
    rank: dict[str, int] | None = None


_DECODER = msgspec.json.Decoder(_File)


class LeafOnRank(Struct):
    """A parameter in one call. A quantity that is missing here is unknown; None is torch's None.

    line: where the Node was created that used it; None if unknown. part: the part of it that the rank holds; None
    if that is the whole.
    """

    quantities: dict[str, TensorOnRank | None] = field(default_factory=dict)
    line: Any = None
    part: PartOnRank | None = None

    def read(self, quantity: str, raw: Any) -> None:
        """Keep a quantity, unless it is unknown."""
        try:
            self.quantities[quantity] = measure(raw)
        except LookupError:
            return

    def read_norm(self, quantity: str, raw: Any) -> None:
        """Keep a quantity of which only the norm is known."""
        is_norm = raw is not None and not isinstance(raw, dict)
        self.read(quantity, {"shape": [], "dtype": "", "norm": raw} if is_norm else raw)


class ReductionOnRank(Struct):
    """What DistributedDataParallel did in one call.

    bypassed: the wrappers that the forward went around. buckets: in the order in which they were reduced.
    """

    bypassed: list[str]
    buckets: list[BucketOnRank]


class CallOnRank(Struct):
    """A backward call of one rank.

    graph: equal for the same Nodes with the same edges. root: the first root, if known. gradients: what
    arrived at each Node, if known. scaled: whether a GradScaler had multiplied the root. reduction: what
    DistributedDataParallel did.
    """

    index: int
    location: Any
    graph: tuple[int, int]
    root: TensorOnRank | None
    leaves: dict[str, LeafOnRank]
    gradients: dict[str, TensorOnRank]
    scaled: bool
    reduction: ReductionOnRank


class RankReport(Struct):
    """The report of one rank.

    reduced: the names of the parameters that DistributedDataParallel holds. sources: where each was created.
    """

    number: int
    world: int
    file: _File
    calls: list[CallOnRank]
    reduced: set[str]
    sources: dict[str, Any]


def read_rank(path: Path, number: int) -> RankReport:
    """The report in a rank's folder. number: of the rank, if the report does not say.

    Raises ReportError with one line.
    """
    name = f"{path.parent.name}/{path.name}"
    try:
        file = _DECODER.decode(path.read_bytes())
    except OSError as error:
        raise ReportError(f"cannot read {name}: {reason(error)}") from error
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ReportError(f"{name} is a damaged report: {error}") from error
    rank = file.rank or {}
    reduced = {module.name for module in file.modules if REDUCED_BY in module.wrappers}
    names = [parameter.name for parameter in file.parameters]
    return RankReport(
        rank.get("number", number),
        rank.get("world", 1),
        file,
        [_call(call, file.parameters) for call in file.backward_calls],
        {name for name in names if any(not prefix or name.startswith(f"{prefix}.") for prefix in reduced)},
        {leaf.name: leaf.source for leaf in file.leaves},
    )


def _call(call: _Call, parameters: list[_Parameter]) -> CallOnRank:
    graph = call.graph
    functions = {node.id: node for node in graph.nodes if isinstance(node, _Function)}
    tensors = {node.id: node for node in graph.nodes if isinstance(node, _Tensor)}
    gradients = {node: found for node, row in functions.items() if (found := _measured(row.gradient))}
    root = next((tensors[identifier] for identifier in graph.roots if identifier in tensors), None)
    leaves = _leaves(call, functions, tensors)
    for parameter in parameters:
        leaf = leaves.setdefault(parameter.name, LeafOnRank())
        norms = {row.backward_call: row.after for row in parameter.calls}
        if "reduced" not in leaf.quantities and call.index in norms:
            leaf.read_norm("reduced", norms[call.index])
        if parameter.requires_grad and not leaf.quantities.keys() & {"data", "local"} and _is_whole(call):
            leaf.quantities["local"] = None  # it is not in the graph
    return CallOnRank(
        call.index,
        call.location,
        (_signature(graph), len(functions)),
        None if root is None else _value(root.before.data),
        leaves,
        gradients,
        call.scale is not None,
        _reduction(call, functions, tensors),
    )


def _leaves(call: _Call, functions: dict[str, _Function], tensors: dict[str, _Tensor]) -> dict[str, LeafOnRank]:
    """The named leaves of a graph."""
    users = {edge.target: functions.get(edge.source) for edge in call.graph.edges if edge.kind == "next"}
    ran, found = set(call.graph.steps), dict[str, LeafOnRank]()
    for edge in call.graph.edges:
        tensor, node = tensors.get(edge.target), functions.get(edge.source)
        if edge.kind != "accumulate" or tensor is None or node is None or tensor.name is None:
            continue
        user = users.get(node.id)
        leaf = found[tensor.name] = LeafOnRank(line=None if user is None else _known(user.source))
        leaf.part = tensor.part if tensor.part is not None and tensor.part.parts > 1 else None
        leaf.read("data", tensor.before.data)
        leaf.read("reduced", tensor.after.grad)
        if node.id in ran or (not _is_whole(call)):
            leaf.read("local", node.gradient)
    return found


def _reduction(call: _Call, functions: dict[str, _Function], tensors: dict[str, _Tensor]) -> ReductionOnRank:
    places = {identifier: place for place, identifier in enumerate(call.graph.steps, 1)}
    arrivals: dict[str, int | None] = {}
    for edge in call.graph.edges if any(wrapper.buckets for wrapper in call.wrappers) else ():
        tensor = tensors.get(edge.target)
        if edge.kind == "accumulate" and tensor is not None and tensor.name is not None:
            arrivals[tensor.name] = places.get(edge.source)
    buckets = [item for wrapper in call.wrappers for item in buckets_on_rank(wrapper, arrivals, len(functions))]
    return ReductionOnRank([wrapper.name for wrapper in call.wrappers if wrapper.bypassed], buckets)


def _is_whole(call: _Call) -> bool:
    """Whether the engine ran the whole graph, for the grads of all leaves."""
    return call.wanted is None and call.graph.error is None and bool(call.graph.steps)


def _signature(graph: _Graph) -> int:
    """A number of the Nodes and their edges. Equal graphs of one process have equal numbers."""
    names = tuple(node.name for node in graph.nodes if not isinstance(node, _Tensor))
    edges = (edge for edge in graph.edges if edge.kind == "next")
    return hash((names, tuple((edge.source, edge.target, edge.slot, edge.input_nr) for edge in edges)))


def _measured(raw: Any) -> TensorOnRank | None:
    """The measures of a value; None if it is None or unknown."""
    try:
        return measure(raw)
    except LookupError:
        return None


def _value(raw: Any) -> TensorOnRank | None:
    """The measures of a root: the value itself of a single number, which may be negative."""
    found = _measured(raw)
    return TensorOnRank(float(raw), found.extremes, True) if found and found.finite and _is_real(raw) else found


def _is_real(raw: Any) -> bool:
    """Whether a value in JSON is one real number."""
    return isinstance(raw, (int, float))


def _known(source: Any) -> Any:
    return source if isinstance(source, dict) and "line" in source else None
