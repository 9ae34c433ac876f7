"""The data of a page: a graph, its tree of boxes, findings and source lines, as columns of plain values.

The format is versioned (`VERSION`). `nodes`, `tensors`, `edges`, `groups` are tables of `graph.columnar`. Python
decides what belongs together and what it means; the page decides where it stands.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct, field

from inspector.folding import fold
from inspector.folding.box_statistics import arriving, box_totals
from inspector.folding.boxes import FoldedBox
from inspector.folding.module_paths import name_of
from inspector.graph import Graph
from inspector.graph.columnar import table_of_columns, to_table
from inspector.graph.model import MOMENTS
from inspector.graph.node_names import without_number
from inspector.graph.row_types import FunctionRow, InnerOperation, NextEdge
from inspector.graph.tensor_names import numbered_name
from inspector.graph.topology import Topology, topology_of
from inspector.graph.value_norms import is_finite, is_zero, value_norm
from inspector.graph.values import Value, encode, is_number, is_summary, is_unknown
from inspector.options.choices import Values
from inspector.page.group_tree import MOST_NODES, Group, GroupTree, group_tree
from inspector.page.live import live_formulas
from inspector.page.run_data import run_data
from inspector.report import Report
from inspector.report.model import BackwardCall
from inspector.report.row_types import Finding
from inspector.styles.value_text import edge_text, symbol_text
from inspector.typography import sanitize

VERSION = 1
MOST_UNFOLDED = 30
"""Up to this number of Nodes a graph starts unfolded, with its leaves as cards."""
MOST_WITH_STATISTICS = 3_000
"""Maximum number of Nodes for which histograms are kept."""
MOST_WITH_VALUES = 8_000
"""Maximum number of Nodes for which values are kept; above, only the norms of gradients."""
MOST_LAYERS = 6
"""Maximum number of layers of a small graph that stands from left to right."""
_SAME = "="
_LIGHT = ("shape", "dtype", "norm")
"""The keys of the summaries of a light recording."""
_DIGITS = 7


class PageSource(Struct, frozen=True):
    """What a page shows besides the graph.

    report: the run; None for a graph alone. files: the text of the user's files, by the names in the report.
    values: how tensors are written, which says whether there are heat maps.
    """

    report: Report | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    values: Values = "auto"


def page_data(call: BackwardCall, source: PageSource, most: int = MOST_NODES) -> dict[str, Any]:
    """The data of a page as a JSON object. most: the maximum number of Nodes."""
    graph = getattr(call.graph, "whole", call.graph)
    builder = _SavedFolded(graph) if any(True for _ in graph.folds()) else _Unfolded(graph, most)
    tables = builder.tables(has_heat_maps=source.values in ("auto", "heat"))
    return {
        "version": VERSION,
        "script": source.report.script.name if source.report else "",
        "call": {
            "index": call.index,
            "location": call.location,
            "code": "" if is_unknown(call.location) else call.location["code"],
            "recording": call.setting.recording,
            "error": graph.error,
            "scale": graph.scale,
        },
        "title": _title(graph),
        "ran": graph.ran,
        "small": builder.is_small,
        "direction": "right" if builder.is_small and builder.depth <= MOST_LAYERS else "down",
        "left_out": builder.left_out,
        "live": live_formulas(graph, builder.node_number) if graph.ran and graph.error is None else None,
        **tables,
        "roots": [builder.tensor_number[root] for root in graph.roots if root in builder.tensor_number],
        "findings": [_finding(row, builder) for row in _findings(call, source.report)],
        "files": _lines(source.files, graph),
        "calls": _calls(source.report),
        "timeline": run_data(source.report),
        "others": list(_others(call, source.report, builder)),
    }


MOST_BESIDE = 600
"""Maximum number of Nodes of a graph for which the page holds the other calls, too."""


def _others(call: BackwardCall, report: Report | None, builder: _Builder) -> Iterator[dict[str, Any]]:
    """The other recorded calls whose graphs have the same Nodes and edges, to be shown beside this one."""
    if report is None or not isinstance(builder, _Unfolded) or not 0 < len(builder.of) <= MOST_BESIDE:
        return
    for other in report.calls:
        graph = getattr(other.graph, "whole", other.graph)
        is_folded = any(True for _ in graph.folds())
        if other.index == call.index or is_folded or len(topology_of(graph)) != len(builder.of):
            continue
        beside = _Unfolded(graph, MOST_NODES)
        tables = beside.tables()
        if beside.shape == builder.shape:
            roots = [beside.tensor_number[root] for root in graph.roots if root in beside.tensor_number]
            yield {"index": other.index, "ran": graph.ran, "roots": roots, **tables}


def _title(graph: Graph) -> str:
    for root in graph.roots:
        if root in graph.rows:
            place = graph.tensor(root)["source"]
            name = graph.tensor(root)["name"]
            return place["code"] if place and "code" in place else (name or "")
    return ""


class _Builder:
    """Numbers of nodes, tensors and groups, and what a page leaves out."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.of: Topology = topology_of(graph)
        self.left_out: list[str] = []
        self.is_small = len(self.of) <= MOST_UNFOLDED
        self.depth = max(self.of.levels, default=0) + 1
        self.node_number: dict[str, int] = {}
        self.tensor_number: dict[str, int] = {}

    def tables(self, *, has_heat_maps: bool = True) -> dict[str, Any]:
        groups = self.groups()
        has_values, has_statistics = self._budget(len(self.node_number))
        shorten = _Shortener(has_values, has_statistics, has_heat_maps)
        tensors = [(key, row) for key, row in self.graph.tensors() if self._keeps(key)]
        self.tensor_number = {key: number for number, (key, _) in enumerate(tensors)}
        return {
            "groups": to_table(groups, encode),
            "nodes": table_of_columns(self._nodes(shorten), encode),
            "tensors": to_table([self._tensor(key, row, shorten) for key, row in tensors], encode),
            "edges": table_of_columns(self._edges(shorten), encode),
        }

    def groups(self) -> list[dict[str, Any]]:
        raise NotImplementedError

    def place(self, identifier: str) -> int | None:
        """The number of a node; -1 - k for a Node inside of the sealed group k; None if it is not in the graph."""
        return self.node_number.get(identifier)

    def group_of(self, identifier: str) -> int:
        raise NotImplementedError

    def _budget(self, count: int) -> tuple[bool, bool]:
        if count > MOST_WITH_VALUES:
            self.left_out.append("values and statistics: only the norms of gradients are kept")
        elif count > MOST_WITH_STATISTICS:
            self.left_out.append("histograms")
        return count <= MOST_WITH_VALUES, count <= MOST_WITH_STATISTICS

    def _keeps(self, tensor: str) -> bool:
        """Whether a tensor is more than the output of a Node that says the same."""
        row = self.graph.tensor(tensor)
        if row["is_leaf"] or row["name"] or tensor in self.graph.roots:
            maker = self.of.makers.get(tensor)
            return maker is None or self.place(maker[0]) is not None
        return False

    def _nodes(self, shorten: _Shortener) -> dict[str, list[Any]]:
        """The columns of the table of nodes. Row by row they would take twice as long, for 15,000 Nodes."""
        keys = list(self.node_number)
        rows = [self.graph.function(key) for key in keys]
        befores, afters = ([row[moment]["data"] for row in rows] for moment in MOMENTS)
        return {
            "id": keys,
            "name": [without_number(row["name"]) for row in rows],
            "full": [row["name"] for row in rows],
            "group": [self.group_of(key) for key in keys],
            "module": [row["module"] for row in rows],
            "leaf": [self.tensor_number.get(self.of.leaves.get(key, "")) for key in keys],
            "made": [self._made(key, row) for key, row in zip(keys, rows, strict=True)],
            "expression": [self._expression(key, row) for key, row in zip(keys, rows, strict=True)],
            "step": [row["step"] for row in rows],
            "norm": [_norm(row["gradient"]) for row in rows],
            "source": [row["source"] for row in rows],
            "attributes": [row["attributes"] for row in rows],
            "formula": [row["formula"] for row in rows],
            "empty": [row["empty_slots"] for row in rows],
            "saved": [[_saved(saved) for saved in row["saved"]] for row in rows],
            "inside": [_inside(row) for row in rows],
            "gradient": [shorten(row["gradient"]) for row in rows],
            "data": [shorten(before) for before in befores],
            "data_after": [
                _SAME if _same(before, after) else shorten(after)
                for before, after in zip(befores, afters, strict=True)
            ],
            "mark": [self.graph.marks.texts.get(key) for key in keys],
        }

    def _made(self, key: str, row: FunctionRow) -> list[int]:
        """The numbers of the tensors in the page that a Node created."""
        if row["is_leaf"]:
            return []
        return [self.tensor_number[made] for made in self.of.made.get(key, ()) if made in self.tensor_number]

    def _expression(self, key: str, row: FunctionRow) -> str | None:
        """The source text of the first tensor that a Node created."""
        made = () if row["is_leaf"] else self.of.made.get(key, ())
        return self.graph.tensor(made[0]).get("expression") if made else None

    def _tensor(self, key: str, row: Any, shorten: _Shortener) -> dict[str, Any]:
        before, after = row["before"], row["after"]
        maker = self.of.makers.get(key)
        derivative = row.get("derivative")
        return {
            "id": key,
            "name": numbered_name(row),
            "symbol": row.get("symbol"),
            "expression": row.get("expression"),
            "leaf": row["is_leaf"],
            "requires_grad": row["requires_grad"],
            "grad_fn": None if row["is_leaf"] or maker is None else self.place(maker[0]),
            "accumulate": self.place(maker[0]) if row["is_leaf"] and maker is not None else None,
            "retains": row["retains_grad"],
            "dtype": row["dtype"],
            "shape": row["shape"],
            "device": row["device"],
            "data": shorten(before["data"]),
            "data_after": _SAME if _same(before["data"], after["data"]) else shorten(after["data"]),
            "grad": shorten(before["grad"]),
            "grad_after": shorten(after["grad"]),
            "gradient": shorten(row["gradient"]),
            "norm": _norm(row["gradient"]),
            "source": row["source"],
            "derivative": None if derivative is None or derivative["symbol"] is None
            else symbol_text(derivative["symbol"]),
        }  # fmt: skip

    def _edges(self, shorten: _Shortener) -> dict[str, list[Any]]:
        """The columns of the table of edges: those between two nodes, then those that stand for several."""
        bundles: dict[tuple[int, int], int] = {}
        rows, ends = list[tuple[str, str, NextEdge]](), list[tuple[int, int]]()
        for source, target, edge in self.graph.edges("next"):
            one, other = self.place(source), self.place(target)
            if one is None or other is None:
                continue
            if one < 0 or other < 0:
                bundles[one, other] = bundles.get((one, other), 0) + 1
                continue
            rows.append((source, target, edge))
            ends.append((one, other))
        further = [self.bundle(*pair, count) for pair, count in bundles.items() if pair[0] != pair[1]]
        further += self.flows()
        columns = self._columns_of(rows, ends, shorten)
        return {key: [*column, *(row[key] for row in further)] for key, column in columns.items()}

    def _columns_of(
        self, rows: Sequence[tuple[str, str, NextEdge]], ends: Sequence[tuple[int, int]], shorten: _Shortener
    ) -> dict[str, list[Any]]:
        """The columns of edges between two nodes. ends: their numbers."""
        nodes, arriving = self.graph.rows.nodes, Counter(self.of.targets)
        alone = {key for position, key in enumerate(self.of.ids) if arriving[position] == 1}
        flowing = [edge.get("gradient") for _, _, edge in rows]
        derived = [edge.get("local") for _, _, edge in rows]
        known = [None if found is None or is_unknown(found) else found for found in derived]
        return {
            "source": [one for one, _ in ends],
            "target": [other for _, other in ends],
            "slot": [edge["slot"] for _, _, edge in rows],
            "input": [edge["input_nr"] for _, _, edge in rows],
            "norm": list(map(_norm, flowing)),
            "gradient": [
                _SAME if target in alone and _same(value, nodes[target]["gradient"]) else shorten(value)
                for value, (_, target, _) in zip(flowing, rows, strict=True)
            ],
            "text": [
                "" if found is None else edge_text(value, local, nodes[source]["gradient"])
                for value, found, local, (source, _, _) in zip(flowing, derived, known, rows, strict=True)
            ],
            "local": [symbol_text(local["symbol"]) if local and local["symbol"] else "" for local in known],
            "value": [local["value"] if local else None for local in known],
            "count": [1] * len(rows),
            "back": [False] * len(rows),
        }

    def flows(self) -> Iterator[dict[str, Any]]:
        """The edges from and to boxes of a graph that was saved folded."""
        return iter(())

    def bundle(
        self, source: int, target: int, count: int, norm: Any = "unknown", back: bool = False
    ) -> dict[str, Any]:
        """An edge that stands for several."""
        return {
            "source": source,
            "target": target,
            "slot": 0,
            "input": 0,
            "norm": norm,
            "gradient": {"unknown": "several edges"},
            "text": "",
            "local": "",
            "value": None,
            "count": count,
            "back": back,
        }


class _Unfolded(_Builder):
    """A graph with every Node."""

    def __init__(self, graph: Graph, most: int) -> None:
        super().__init__(graph)
        view = graph if self.is_small else fold(graph)
        self._tree: GroupTree = group_tree(graph, view, most)
        ids = self.of.ids
        self._group = {ids[position]: group for position, group in self._tree.group_of.items()}
        self._sealed = {ids[position]: group for position, group in self._tree.sealed_at.items()}
        self.node_number = {key: number for number, key in enumerate(key for key in ids if key in self._group)}
        if self._sealed:
            closed = sum(group.sealed for group in self._tree.groups)
            self.left_out.append(f"{len(self._sealed):,} Nodes inside {closed:,} boxes that stay closed")

    def place(self, identifier: str) -> int | None:
        found = self.node_number.get(identifier)
        return -1 - self._sealed[identifier] if found is None and identifier in self._sealed else found

    def group_of(self, identifier: str) -> int:
        return self._group[identifier]

    @property
    def shape(self) -> tuple[object, ...]:
        """What two graphs have in common that are laid out in the same way."""
        nodes = [(self.graph.function(key)["name"], self._group[key]) for key in self.node_number]
        edges = [(one, other, edge["slot"]) for one, other, edge in self.graph.edges("next")]
        return nodes, edges, [(group.parent, group.alone) for group in self._tree.groups]

    def groups(self) -> list[dict[str, Any]]:
        return [self._row(group) for group in self._tree.groups]

    def _row(self, group: Group) -> dict[str, Any]:
        box = group.box or FoldedBox("module", "", (), range(len(self.of)))
        row = box_totals(self.of, box) if len(self.of) else None
        facts = _group_facts(row, _box_norm(arriving(self.of, box))) if row else _NO_FACTS
        return {
            "parent": group.parent,
            "kind": box.kind if group.box is not None else "whole",
            "label": box.label,
            "module": name_of(box.path),
            "sealed": group.sealed,
            "open": group.is_open,
            "alone": group.alone,
            **facts,
        }


class _SavedFolded(_Builder):
    """A graph that was saved folded: its boxes are there, the Nodes inside are not."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self._folds = dict(graph.folds())
        self._places = {key: -2 - number for number, key in enumerate(self._folds)}
        self._inside = {member: key for key, row in self._folds.items() for member in row["members"]}
        self.node_number = {key: number for number, key in enumerate(self.of.ids)}
        self.is_small = False
        inside = sum(row["nodes"] for row in self._folds.values())
        self.left_out.append(f"{inside:,} Nodes inside {len(self._folds):,} boxes: the report was saved folded")

    def place(self, identifier: str) -> int | None:
        found = self.node_number.get(identifier)
        if found is None:
            found = self._places.get(identifier, self._places.get(self._inside.get(identifier, "")))
        return found

    def group_of(self, identifier: str) -> int:
        return 0

    def groups(self) -> list[dict[str, Any]]:
        names = {"parent": -1, "kind": "whole", "label": "", "module": ""}
        whole = {**names, "sealed": False, "open": True, "alone": False, **_NO_FACTS}
        return [whole, *(self._row(row) for row in self._folds.values())]

    def _row(self, row: Any) -> dict[str, Any]:
        return {
            "parent": 0,
            "kind": row["why"],
            "label": row["name"],
            "module": row["module"],
            "sealed": True,
            "open": False,
            "alone": False,
            **_group_facts(row, _range_norm(row["arriving"])),
        }

    def flows(self) -> Iterator[dict[str, Any]]:
        for source, target, edge in self.graph.edges("flow"):
            one, other = self.place(source), self.place(target)
            if one is not None and other is not None:
                yield self.bundle(one, other, edge["count"], _range_norm(edge["norms"]), edge["back"])


_NO_FACTS = {
    "nodes": 0, "parameters": 0, "elements": 0, "bytes": 0, "norm": "unknown", "grads": None, "steps": None
}  # fmt: skip


def _group_facts(row: Any, norm: Any) -> dict[str, Any]:
    return {
        "nodes": row["nodes"],
        "parameters": row["parameters"],
        "elements": row["elements"],
        "bytes": row["saved_bytes"],
        "norm": norm,
        "grads": row["grads"] | {key: _rounded(row["grads"][key]) for key in ("low", "high")},
        "steps": row["steps"],
    }


def _box_norm(value: Value) -> Any:
    return "unknown" if is_unknown(value) else _rounded(value) if is_number(value) else value


def _range_norm(norms: Any) -> Any:
    if norms["nans"]:  # NaN or infinite: the range does not say which
        return math.nan
    if norms["high"] is not None:
        return _rounded(norms["high"])
    return None if norms["none"] and not norms["unknown"] else "unknown"


def _norm(value: Value) -> Any:
    """The 2-norm of a gradient; None for torch's None, NaN if one element is not finite, "unknown"."""
    if value is None:
        return None
    if is_unknown(value):
        return "unknown"
    if is_summary(value) and not ("nans" in value or "zeros" in value):  # of a light recording
        size = value_norm(value)
        if size is None or math.isfinite(size):
            return "unknown" if size is None else _rounded(size)
        return math.nan if math.isnan(size) else math.inf
    if not is_finite(value):
        return math.nan if _has_nan(value) else math.inf
    if is_zero(value):
        return 0
    found = value_norm(value)
    return "unknown" if found is None else _rounded(found)


def _has_nan(value: Value) -> bool:
    if is_summary(value):
        return bool(value["nans"]) if "nans" in value else not math.isinf(value_norm(value) or 0.0)
    if isinstance(value, list):
        return any(map(_has_nan, value))
    return value is not None and not is_unknown(value) and value != value


def _rounded(number: Any) -> Any:
    return _short_float(number) if isinstance(number, float) and math.isfinite(number) else number


@lru_cache(maxsize=100_000)
def _short_float(number: float) -> float:
    """A number as the page writes it. A norm is written up to four times: of a Node, its value, an edge, a box."""
    short = float(f"{number:.{_DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 1e6 else short


class _Shortener:
    """Values as a page holds them: statistics with 7 digits, and less where the graph is large."""

    def __init__(self, has_values: bool, has_statistics: bool, has_heat_maps: bool) -> None:
        self._values, self._statistics = has_values, has_statistics
        self._left_out = {"histogram"} if has_heat_maps else {"histogram", "elements"}
        self._known: dict[int, tuple[Any, Any]] = {}

    def __call__(self, value: Value) -> Any:
        if not isinstance(value, (dict, list)):
            return value
        found = self._known.get(id(value))
        if found is None:
            found = self._known[id(value)] = value, self._short(value)  # kept, so that its id stays its own
        return found[1]

    def _short(self, value: Value) -> Any:
        if isinstance(value, list):
            return [self(item) for item in value]
        if not is_summary(value):
            return value
        if not self._values:
            return {"shape": value["shape"], "dtype": value["dtype"], "norm": _rounded(value["norm"])}
        kept = {key: _rounded(item) for key, item in value.items() if key not in self._left_out}
        if self._statistics and "histogram" in value:
            kept["histogram"] = value["histogram"]
        return kept


def _same(one: Value, other: Value) -> bool:
    if one is other:
        return True
    if is_unknown(one):
        return bool(one == other)
    # the text tells 1 from 1.0 and knows two NaN as equal, but takes longer than a comparison
    is_light = is_summary(one) and len(one) == len(_LIGHT) and type(other) is dict
    if is_light and one == other and type(one["norm"]) is type(other["norm"]):
        return True
    return repr(one) == repr(other)


def _saved(saved: Any) -> dict[str, Any]:
    return {key: saved.get(key) for key in ("name", "before", "after", "shape", "dtype", "bytes")}


def _inside(row: FunctionRow) -> Any:
    """The operations inside a compiled function or a checkpoint: (name, module or leaf, line). None for others."""
    part = row.get("compiled") or row.get("nested")
    if part is None or is_unknown(part):
        return part
    return [_operation(operation) for operation in part["operations"]]


def _operation(row: InnerOperation) -> tuple[str, str, str]:
    of, source = row.get("leaf") or row["module"], row["source"]
    place = "" if source is None else f"{source['file']}:{source['line']}"
    return row["name"], of if isinstance(of, str) else "", place


# ---- beside the graph ---------------------------------------------------------------------------------------


def _findings(call: BackwardCall, report: Report | None) -> list[Finding]:
    rows = report.findings if report else []
    return [row for row in rows if row.backward_call in (call.index, None)]


def _finding(row: Finding, builder: _Builder) -> dict[str, Any]:
    makers = builder.of.makers
    nodes = [builder.place(makers.get(node, (node, 0))[0]) for node in row.nodes]
    names = set(row.parameters)
    leaves = [
        number for key, number in builder.tensor_number.items() if builder.graph.tensor(key)["name"] in names
    ]
    return {
        "rule": row.rule,
        "severity": row.severity,
        "message": sanitize(row.message),
        "advice": sanitize(row.advice),
        "location": row.location,
        "nodes": [node for node in nodes if node is not None],
        "tensors": leaves,
        "parameters": row.parameters,
    }


_NEIGHBOURS = 4


def _lines(files: Mapping[str, str], graph: Graph) -> dict[str, dict[str, str]]:
    """The source lines that made the graph, with their neighbours, by file and line number."""
    wanted: dict[str, set[int]] = {}
    for _, row in graph.functions():
        place = row["source"]
        if place is not None and "file" in place and place["file"] in files:
            line = place["line"]
            wanted.setdefault(place["file"], set()).update(range(line - _NEIGHBOURS, line + _NEIGHBOURS + 1))
    found: dict[str, dict[str, str]] = {}
    for name, numbers in sorted(wanted.items()):
        lines = files[name].splitlines()
        found[name] = {str(at): lines[at - 1] for at in sorted(numbers) if 1 <= at <= len(lines)}
    return found


_MOST_PARAMETERS = 400


def _calls(report: Report | None) -> dict[str, Any] | None:
    """The norm of the grad of every parameter after each recorded call, for a table; None for one call."""
    if report is None or not report.calls:
        return None
    indexes = [call.index for call in report.calls]
    rows = []
    for parameter in report.inventory.parameters[:_MOST_PARAMETERS]:
        after = {entry["backward_call"]: entry["after"] for entry in parameter["calls"]}
        rows.append([parameter["name"], [_cell(after.get(index, _MISSING)) for index in indexes]])
    places = [None if is_unknown(call.location) else call.location for call in report.calls]
    return {
        "indexes": indexes,
        "drawn": list(report.recording["drawn"]),
        "places": places,
        "parameters": encode(rows),
        "more": max(0, len(report.inventory.parameters) - _MOST_PARAMETERS),
    }


_MISSING = {"unknown": "not in this call"}


def _cell(value: Any) -> Any:
    return "unknown" if is_unknown(value) else _rounded(value)


def files_of(call: BackwardCall) -> Sequence[str]:
    """The names of the files whose lines a page shows."""
    graph = getattr(call.graph, "whole", call.graph)
    names = {row["source"]["file"] for _, row in graph.functions() if row["source"] and "file" in row["source"]}
    return sorted(names)
