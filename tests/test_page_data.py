"""The data of the page and the file that holds it: complete, harmless, the same every time, and not too large."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import math
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import graphs
import pytest
import reports
from figures import HOSTILE
from golden import FOLDER as GOLDEN
from msgspec.structs import replace

from inspector.diagnosis.mark_graph import mark_graph
from inspector.folding import fold
from inspector.graph import Graph, from_rows, to_rows, unknown
from inspector.graph.columnar import from_table
from inspector.graph.rows import Rows
from inspector.page import PageSource, html, still_of, write_index, write_page
from inspector.page.group_tree import group_tree
from inspector.page.html import joined_script
from inspector.page.live import tree_of
from inspector.page.page_data import VERSION, page_data
from inspector.report import BackwardCall, Report, load

PLACE = {"file": "script.py", "line": 7, "code": "z.backward()"}
VIEWER = Path(html.__file__).parent / "viewer"
MOST_OF_THE_VIEWER = 120_000


def call_of(graph: Graph) -> BackwardCall:
    return BackwardCall(1, PLACE, graph)  # type: ignore[arg-type]


def rows(table: Any) -> list[dict[str, Any]]:
    return list(from_table(table, lambda key, value: value))


def unpacked(page: bytes) -> dict[str, Any]:
    """The data in a page."""
    (text,) = re.findall(r'<script type="text/plain" id="data">([A-Za-z0-9+/=]*)</script>', page.decode())
    data: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(text)))
    return data


# ---- the data -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["saddle", "lstm", "classifier", "micrograd"])
def test_every_node_and_edge_of_the_report_is_in_the_page(name: str) -> None:
    report = load(GOLDEN / f"{name}.json")
    call = report.calls[0]
    data = page_data(call, PageSource(report))
    nodes, edges = rows(data["nodes"]), rows(data["edges"])
    assert [node["id"] for node in nodes] == [key for key, _ in call.graph.functions()]
    ids = [node["id"] for node in nodes]
    found = Counter((ids[edge["source"]], ids[edge["target"]], edge["slot"]) for edge in edges)
    assert found == Counter((one, other, edge["slot"]) for one, other, edge in call.graph.edges("next"))
    assert data["left_out"] == []
    assert data["version"] == VERSION


def test_operations_inside_a_function_have_their_module_or_leaf_and_their_line() -> None:
    graph = graphs.saddle(2.0, 0.0)
    keys = [key for key, _ in graph.functions()][:3]
    mm = {"name": "mm", "inputs": [], "module": "net.0", "source": PLACE}
    leaf = {"name": "AccumulateGrad", "inputs": [0], "module": None, "source": None, "leaf": "net.0.weight"}
    graph.function(keys[0])["compiled"] = {"operations": [mm], "receives": [0]}  # type: ignore[typeddict-item]
    graph.function(keys[1])["nested"] = {"operations": [mm, leaf], "receives": [0]}  # type: ignore[typeddict-item]
    graph.function(keys[2])["compiled"] = unknown("why")
    nodes = rows(page_data(call_of(graph), PageSource())["nodes"])
    first, second, third, *others = (node["inside"] for node in nodes)
    assert list(map(tuple, first)) == [("mm", "net.0", "script.py:7")]
    assert list(map(tuple, second))[1] == ("AccumulateGrad", "net.0.weight", "")
    assert third == unknown("why") and set(others) == {None}


def test_numbers_are_those_of_torch() -> None:
    data = page_data(call_of(graphs.saddle(2.0, 0.0)), PageSource())
    tensors = {row["name"]: row for row in rows(data["tensors"]) if row["name"]}
    assert (tensors["x"]["data"], tensors["x"]["grad"], tensors["x"]["grad_after"]) == (2.0, None, 4.0)
    assert sorted(row["norm"] for row in rows(data["edges"])) == [0, 1, 1, 4]
    assert data["ran"] and data["direction"] == "right"


def test_steps_are_those_of_the_engine() -> None:
    report = load(GOLDEN / "lstm.json")
    nodes = rows(page_data(report.calls[0], PageSource(report))["nodes"])
    by_step = [node["id"] for node in sorted(nodes, key=lambda node: node["step"])]
    assert by_step == report.calls[0].graph.steps


def test_norms_tell_none_zero_nan_and_infinity_apart() -> None:
    norms = {}
    for value in (None, 0.0, math.nan, math.inf, [math.inf, math.nan], unknown("not seen"), 3.0):
        graph = graphs.saddle(2.0, 0.0)
        graph.function("n0")["gradient"] = value
        norms[str(value)] = rows(page_data(call_of(graph), PageSource())["nodes"])[0]["norm"]
    assert list(norms.values()) == [None, 0, "nan", "inf", "nan", "unknown", 3]


def test_boxes_beyond_the_budget_are_closed_and_named() -> None:
    report = load(GOLDEN / "lstm.json")
    call = report.calls[0]
    data = page_data(call, PageSource(report), most=40)
    nodes, groups = rows(data["nodes"]), rows(data["groups"])
    sealed = [group for group in groups if group["sealed"]]
    assert len(nodes) <= 40 and sealed
    assert data["left_out"] == [f"{81 - len(nodes)} Nodes inside {len(sealed)} boxes that stay closed"]
    ends = {end for edge in rows(data["edges"]) for end in (edge["source"], edge["target"])}
    assert min(ends) < 0 <= max(ends)
    assert all(-len(groups) <= end < len(nodes) for end in ends)


def test_every_node_has_one_group() -> None:
    graph = load(GOLDEN / "lstm.json").calls[0].graph
    tree = group_tree(graph, fold(graph))
    assert sorted(tree.group_of) == list(range(81))
    for index, group in enumerate(tree.groups[1:], start=1):
        inside = {at for at, own in tree.group_of.items() if own == index}
        assert inside <= set(group.box.positions if group.box else ())


def test_a_report_that_was_saved_folded_has_its_boxes() -> None:
    graph = load(GOLDEN / "lstm.json").calls[0].graph
    saved = from_rows(to_rows(fold(graph)))
    data = page_data(call_of(saved), PageSource())
    groups, edges = rows(data["groups"]), rows(data["edges"])
    assert sum(group["nodes"] for group in groups) + len(rows(data["nodes"])) == 81
    assert all(group["sealed"] for group in groups[1:])
    assert {edge["count"] for edge in edges} >= {1, 2}
    assert "saved folded" in data["left_out"][0]


def test_findings_have_their_places_and_the_source_its_neighbours() -> None:
    graph = graphs.saddle(2.0, 0.0)
    report = reports.report_of(graph, findings=[reports.finding(nodes=["n0"], parameters=["x", "gone"])])
    mark_graph(report)
    files = {"script.py": "".join(f"line {number}\n" for number in range(1, 30)), "other.py": "unused"}
    data = page_data(report.calls[0], PageSource(report, files))
    (row,) = data["findings"]
    names = [tensor["name"] for tensor in rows(data["tensors"])]
    assert (row["nodes"], [names[number] for number in row["tensors"]]) == ([0], ["x"])
    assert rows(data["nodes"])[0]["mark"] == "detached"
    places = [row["source"] for _, row in graph.functions()]
    lines = {place["line"] for place in places if place and "line" in place}
    wanted = {str(line + near) for line in lines for near in range(-4, 5) if 1 <= line + near <= 29}
    assert set(data["files"].get("script.py", {})) == wanted
    assert "other.py" not in data["files"]


@pytest.mark.parametrize("graph", [
    Graph(Rows, roots=[], error="element 0 of tensors does not require grad"),
    graphs.leaf_root(), graphs.saddle(2.0, 0.0, error_at="b"), graphs.saddle(2.0, 0.0, ran=False),
])  # fmt: skip
def test_odd_graphs_have_a_page(graph: Graph) -> None:
    data = unpacked(write_page(call_of(graph)))
    assert data["call"]["error"] == graph.error
    assert data["nodes"]["count"] == sum(1 for _ in graph.functions())


# ---- the live figure ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["saddle", "polynomial", "product", "square", "micrograd", "olah", "cs231n_neuron"]
)
def test_scalar_functions_have_their_formulas(name: str) -> None:
    report = load(GOLDEN / f"{name}.json")
    graph = report.calls[0].graph
    formulas = page_data(report.calls[0], PageSource(report))["live"]
    functions = [key for key, row in graph.functions() if not row["is_leaf"]]
    ids = [key for key, _ in graph.functions()]
    assert sorted(ids[row["node"]] for row in formulas) == sorted(functions)
    place = {row["node"]: number for number, row in enumerate(formulas)}
    for number, row in enumerate(formulas):  # inputs are computed before
        inputs = (held[0] for held in row["operands"].values() if isinstance(held, list))
        assert all(place.get(node, -1) < number for node in inputs)


@pytest.mark.parametrize("graph", [
    load(GOLDEN / "lstm.json").calls[0].graph, graphs.saddle(2.0, 0.0, ran=False), graphs.leaf_root(),
    graphs.two_roots(), graphs.saddle(2.0, 0.0, error_at="b"), graphs.layered(8, 40),
])  # fmt: skip
def test_other_graphs_have_none(graph: Graph) -> None:
    assert page_data(call_of(graph), PageSource())["live"] is None


def test_a_formula_becomes_a_tree() -> None:
    assert tree_of("-alpha*exp(self)**2") == ["*", ["-", 0, "alpha"], ["**", ["exp", "self"], 2]]
    assert tree_of("1 - 2/pi") == ["-", 1, ["/", 2, math.pi]]
    assert tree_of("-x**2") == ["-", 0, ["**", "x", 2]]


# ---- the file -----------------------------------------------------------------------------------------------


class Elements(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def hostile_graph(text: str) -> Graph:
    """A graph that says the text wherever a script can put one."""
    graph = graphs.saddle(2.0, 0.0)
    for _, row in graph.tensors():
        row["name"] = text
        row["source"] = {"file": text, "line": 1, "code": text}
    for _, function in graph.functions():
        function["name"] = text or "?"
        function["module"] = text
        function["source"] = {"file": text, "line": 1, "code": text}
        function["attributes"] = {text: text}
    return graph


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_only_text(text: str) -> None:
    report = reports.report_of(hostile_graph(text), findings=[reports.finding(message=text, advice=text)])
    page = write_page(report.calls[0], PageSource(report, {text: text}))
    scripts = [attributes for tag, attributes in Elements(page).found if tag == "script"]
    assert [script.get("type") for script in scripts] == ["text/plain", "text/plain", "module"]
    assert unpacked(page)["findings"][0]["rule"] == "detached"
    index = write_index(report, ["backward-1.html"], [])
    assert {tag for tag, _ in Elements(index).found} <= {
        "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "a", "code", "section", "div"
    }  # fmt: skip


def test_the_policy_allows_the_scripts_and_the_style_sheet_of_the_page_only() -> None:
    page = write_page(call_of(graphs.saddle(2.0, 0.0))).decode()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    (loader,) = re.findall('<script type="module">(.*?)</script>', page, re.DOTALL)
    (style,) = re.findall("<style>(.*?)</style>", page, re.DOTALL)
    (viewer,) = re.findall('<script type="text/plain" id="viewer">(.*?)</script>', page)
    script = gzip.decompress(base64.b64decode(viewer)).decode()
    one, other, third = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (loader, script, style)
    )
    assert f"script-src 'sha256-{one}' 'sha256-{other}'; style-src 'sha256-{third}';" in policy
    assert policy.startswith("default-src 'none';")
    assert not re.search(r"unsafe|blob:|https?:|\*", policy)


def test_the_page_names_nothing_outside_of_itself() -> None:
    figure_page = write_page(call_of(graphs.saddle(2.0, 0.0)), still=still_of(_scene(), "light"))
    found = Elements(figure_page).found
    names = {name for _, attributes in found for name in attributes}
    assert not names & {"src", "href", "data", "srcset", "action"}
    assert not re.search(r"https?://(?!www\.w3\.org/)", figure_page.decode())
    assert not [name for name in names if name.startswith("on") or name == "style"]


def test_without_scripts_there_is_a_picture_and_a_table() -> None:
    page = write_page(call_of(graphs.saddle(2.0, 0.0)), still=still_of(_scene(), "light")).decode()
    (still,) = re.findall("<noscript>(.*?)</noscript>", page, re.DOTALL)
    assert "<svg" in still and ">AccumulateGrad</text>" in still
    assert '<th scope="row">x</th><td>2</td><td>None</td><td>4</td>' in still


def _scene() -> Any:
    from inspector.figure import draw

    return draw(graphs.saddle(2.0, 0.0)).scene


def test_the_modules_of_the_viewer_are_joined_once_each() -> None:
    script = joined_script()
    sources = (path.read_text("utf-8") for path in VIEWER.glob("*.js") if path.name != "loader.js")
    declared = r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)(?: = [^;(]*?, (\w+) =)?"
    found = [pair for text in sources for pair in re.findall(declared, text, re.MULTILINE)]
    names = [name for pair in found for name in pair if name]
    assert len(names) == len(set(names)) > 50
    forbidden = r"^(?:import|export)\b|eval\(|new Function|innerHTML|document\.write"
    assert not re.search(forbidden, script, re.MULTILINE)


def test_the_viewer_is_small() -> None:
    """The page of an empty graph: the viewer, its fonts, and the widths of characters."""
    assert len(write_page(call_of(Graph(Rows, roots=[])))) < MOST_OF_THE_VIEWER


def test_the_theme_is_the_readers_unless_it_is_chosen() -> None:
    call = call_of(graphs.saddle(2.0, 0.0))
    assert '<html lang="en">' in write_page(call).decode()
    assert '<html lang="en" data-theme="dark">' in write_page(call, theme="dark").decode()


def test_the_run_is_that_of_the_timeline() -> None:
    """Two optimizer steps in the second row; the layer's norm is that over its parameters."""
    columns = [
        {"kind": "root", "name": "", "parameters": [], "middle": [2.0, 1.5, None], "not_finite": [[2, 1]]},
        {"kind": "gradient", "name": "fc.weight", "parameters": ["fc.weight"], "middle": [3.0, 0.0, None]},
        {"kind": "gradient", "name": "fc.bias", "parameters": ["fc.bias"], "middle": [4.0, 0.0, None]},
    ]
    trigger = {"kind": "root_not_finite", "step": 4, "backward_call": 4, "parameters": [], "value": math.nan}
    window = {"first": 3, "columns": [[1.0, None], [3.0, None], [4.0, None]]}
    timeline: Any = {
        "unit": "optimizer", "steps": 4, "calls": 4, "budget": 0.03, "cost": 0.01, "levels": [], "rows": [1, 2, 1],
        "last_root": math.nan, "columns": columns, "windows": [window], "triggers": [trigger],
    }  # fmt: skip
    report = replace(reports.report_of(graphs.saddle(2.0, 0.0)), timeline=timeline)
    run = page_data(report.calls[0], PageSource(report))["timeline"]
    assert run["ends"] == [1, 3, 4]
    assert run["roots"] == [{"name": "", "values": [2.0, 1.5, None], "broken": [2]}]
    assert run["layers"] == [{"name": "fc", "values": [5.0, 0.0, None], "broken": []}]
    assert run["triggers"] == [{"step": 4, "text": "step 4: the loss is NaN"}]
    assert run["windows"][0]["layers"][0]["values"] == [5.0, None]
    assert page_data(report.calls[0], PageSource())["timeline"] is None


def test_calls_of_the_same_graph_can_stand_beside_each_other() -> None:
    others = [graphs.saddle(3.0, 1.0), graphs.square()]
    report = reports.report_of(graphs.saddle(2.0, 0.0))
    calls = [BackwardCall(number, PLACE, graph) for number, graph in enumerate(others, 2)]  # type: ignore[arg-type]
    report = replace(report, calls=[*report.calls, *calls])
    data = page_data(report.calls[0], PageSource(report))
    (other,) = data["others"]
    assert other["index"] == 2
    grads = {row["name"]: row["grad_after"] for row in rows(other["tensors"]) if row["leaf"]}
    assert grads == {"x": 6.0, "y": -2.0}


# ---- the index ----------------------------------------------------------------------------------------------


def test_the_index_links_the_pages_and_tells_the_findings() -> None:
    report: Report = reports.report_of(graphs.saddle(2.0, 0.0), findings=[reports.finding()])
    text = write_index(report, ["backward-1.html"], ["backward-1.svg"]).decode()
    assert '<a href="backward-1.html">call 1: <code>z.backward()</code></a>' in text
    assert '<img src="backward-1.svg"' in text and "no gradient reaches encoder.weight" in text
    assert "script.py:7, 5 Nodes, z = 4" in text
    without = write_index(report, [], []).decode()
    assert "href" not in without and "img src" not in without


def test_pages_of_the_gallery_stay_small(tmp_path: Path) -> None:
    report = load(GOLDEN / "lstm.json")
    assert len(write_page(report.calls[0], PageSource(report))) < 150_000
