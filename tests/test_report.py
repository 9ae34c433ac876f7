"""report.json: its text, its schema, the way there and back, and what is said of a bad file."""

from __future__ import annotations

import copy
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from columns import loop, transformer
from graphs import SHAPES, square
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict
from reports import finding, model, report_of

from inspector.figure import draw
from inspector.graph import Graph, from_rows, unknown
from inspector.graph.json_rows import from_columns, shortened, spelt_out, to_columns
from inspector.graph.values import encode
from inspector.options import FigureOptions
from inspector.report import (
    SCHEMA,
    BackwardCall,
    Inventory,
    Report,
    ReportError,
    ScriptRun,
    from_json,
    load,
    mask_addresses,
    save,
    schema,
    to_json,
)
from inspector.report import json_file as file
from inspector.report.row_types import GradNorms, ParameterRow

VALIDATOR = jsonschema_rs.Draft202012Validator(schema())

# ---- graphs of every kind of value --------------------------------------------------------------------------

TEXTS = st.text(max_size=12).filter(lambda text: text not in ("nan", "inf", "-inf"))
FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=32)
NUMBERS = st.one_of(FLOATS, st.integers(-(2**40), 2**40), st.booleans())
COMPLEX = st.builds(complex, FLOATS, FLOATS)
SUMMARIES = st.fixed_dictionaries(
    {
        "shape": st.lists(st.integers(0, 500), max_size=3),
        "dtype": st.sampled_from(["float32", "bfloat16"]),
        **dict.fromkeys(("norm", "mean", "min", "max"), FLOATS),
        **{key: st.integers(0, 9) for key in ("zeros", "nans", "infinities")},
    }
)
VALUES = st.one_of(
    st.none(),
    NUMBERS,
    COMPLEX,
    SUMMARIES,
    TEXTS.map(unknown),
    st.lists(NUMBERS, max_size=4),
    st.lists(st.lists(COMPLEX, max_size=2), max_size=2),
)
STATES = st.fixed_dictionaries({"data": VALUES, "grad": VALUES})
SOURCES = st.one_of(
    TEXTS.map(unknown), st.fixed_dictionaries({"file": TEXTS, "line": st.integers(0, 9999), "code": TEXTS})
)


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """A chain of functions down to a leaf, with any values in it."""
    length = draw(st.integers(1, 3))
    rows: list[dict[str, Any]] = []
    for index in range(length):
        for row in [copy.deepcopy(row) for row in _PATTERN["nodes"] if row["id"] in ("n0", "t0")]:
            row |= {"id": f"{row['id'][0]}{index}", "before": draw(STATES), "after": draw(STATES)}
            row |= {"gradient": draw(VALUES), "source": draw(SOURCES), "name": draw(TEXTS)}
            row |= {"saved": []} if row["kind"] == "function" else {"grad_fn": f"n{index}"}
            rows.append(row)
    edges = [_edge(f"n{index}", f"n{index + 1}", draw(VALUES)) for index in range(length - 1)]
    error = draw(st.none() | TEXTS.map(mask_addresses))
    return from_rows(
        {"nodes": encode(rows), "edges": encode(edges), "roots": ["t0"], "steps": ["n0"], "error": error}
    )


def _edge(source: str, target: str, gradient: Any) -> dict[str, Any]:
    ends = {"source": source, "target": target, "kind": "next", "slot": 0, "input_nr": 0}
    return ends | {"gradient": gradient, "local": {"symbol": "2*x", "value": gradient}}


_PATTERN = json.loads(to_json(report_of(square())))["backward_calls"][0]["graph"]


def plain(report: Report) -> list[str]:
    """The rows of every graph as text, in which a NaN is equal to a NaN."""
    networks = [call.graph.network for call in report.calls]
    return [repr([*network.nodes(data=True), *network.edges(data=True)]) for network in networks]


# ---- the text -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_keeps_the_schema_and_comes_back(shape: str) -> None:
    report = report_of(SHAPES[shape](), findings=[finding()])
    text = to_json(report)
    VALIDATOR.validate(json.loads(text))
    again = from_json(text)
    assert to_json(again) == text
    assert plain(again) == plain(report)


@settings(max_examples=60)
@given(graphs())
def test_any_values_come_back(graph: Graph) -> None:
    report = report_of(graph)
    text = to_json(report)
    VALIDATOR.validate(json.loads(text))
    again = from_json(text)
    assert plain(again) == plain(report)
    assert to_json(again) == text


def test_the_keys_are_those_of_the_design_in_its_order() -> None:
    rows = json.loads(to_json(report_of(square())))
    assert list(rows) == [
        "schema", "script", "exit", "recording", "backward_calls", "parameters", "modules", "optimizers",
        "events", "findings", "checked",
    ]  # fmt: skip
    call = rows["backward_calls"][0]
    assert list(call) == ["index", "location", "recording", "graph", "cuts", "writes"]
    assert list(call["graph"]) == ["nodes", "edges", "roots", "steps", "error"]


def test_a_node_an_edge_and_a_finding_are_one_line_each() -> None:
    lines = to_json(report_of(square(), findings=[finding(), finding("note")])).splitlines()
    assert sum(line.startswith('     {"id": ') for line in lines) == 4
    assert sum(line.startswith('  {"rule": ') for line in lines) == 2
    assert ' "exit": {"status": 0, "exception": null},' in lines


def test_values_outside_the_graph_come_back_and_texts_are_left_alone() -> None:
    norms: GradNorms = {"backward_call": 1, "tensor": None, "before": None, "after": math.inf}
    parameter: ParameterRow = {"name": "nan", "module": "", "shape": [], "dtype": "float32", "requires_grad": True,
                               "elements": 1, "calls": [norms]}  # fmt: skip
    inventory = Inventory(parameters=[parameter])
    again = from_json(to_json(report_of(square(), findings=[finding(message="nan")], inventory=inventory)))
    assert again.inventory.parameters == [parameter]
    assert again.findings[0].message == "nan"
    assert math.isnan(again.findings[0].evidence["norm"])


def test_the_same_report_gives_the_same_bytes_in_another_process() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests'); from graphs import fan_out; from reports import report_of;"
        "from inspector.report import to_json; sys.stdout.write(to_json(report_of(fan_out())));"
        "assert 'torch' not in sys.modules"
    )
    root = Path(__file__).parents[1]
    runs = [
        subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=True) for _ in range(2)
    ]
    assert runs[0].stdout == runs[1].stdout


# ---- addresses ----------------------------------------------------------------------------------------------


def test_addresses_are_masked_in_messages_and_nothing_else_is() -> None:
    assert mask_addresses("<A object at 0x7f3a5c1d2e80> and 0xff") == "<A object at 0x…> and 0xff"
    graph = square()
    graph.error = "TypeError: <A at 0x7f3a5c1d2e80>"
    report = report_of(graph, code="y.backward(0xdeadbeef)")
    script = ScriptRun("s.py", {"status": 1, "exception": graph.error})
    text = to_json(Report(script, report.recording, report.calls))
    assert text.count("TypeError: <A at 0x…>") == 2
    assert "y.backward(0xdeadbeef)" in text


# ---- the file -----------------------------------------------------------------------------------------------


def test_save_and_load(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    report = report_of(model())
    save(report, path)
    assert to_json(load(path)) == path.read_text("utf-8") == to_json(report)
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_a_failed_save_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.json"
    save(report_of(square()), path)
    old = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space"):
        save(report_of(model()), path)
    assert path.read_bytes() == old
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_a_name_that_is_no_utf8_is_saved(tmp_path: Path) -> None:
    report = report_of(square(), code="open('\udce9')")
    save(report, tmp_path / "report.json")
    assert load(tmp_path / "report.json").calls[0].location["code"] == "open('\udce9')"


def test_a_bare_nan_is_never_written() -> None:
    report = report_of(square())
    call = BackwardCall(1, {"file": "a.py", "line": math.nan, "code": ""}, report.calls[0].graph)
    with pytest.raises(ValueError, match="JSON compliant"):
        to_json(Report(ScriptRun("s.py", report.script.exit), report.recording, [call]))


GOOD = to_json(report_of(square()))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        (GOOD[:-40], "is not JSON"),
        (GOOD.replace('"data": 4.0', '"data": NaN'), "NaN is not a JSON number"),
        ("[" * 100_000, "is not JSON"),
        ("[1]", "is not a report"),
        ('{"a": 1}', "is not a report"),
        (GOOD.replace('"schema": 1', f'"schema": {SCHEMA + 1}'), "pip install --upgrade autograd-inspector"),
        (GOOD.replace('"roots"', '"rots"'), "backward_calls[0].graph.rots: unknown key"),
        (GOOD.replace('"roots": ["t0"]', '"roots": ["t9"]'), "graph.roots[0]: no node has the id 't9'"),
        (GOOD.replace('"kind": "tensor", ', ""), "backward_calls[0].graph.nodes[1].kind: missing"),
        ('{"schema": 1, "script": "a"}', "exit: missing"),
        ('{"schema": 1, "script": "a", "exit": {}, "recording": {}, "backward_calls": 3}', "exit.status: missing"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text, "utf-8")
    with pytest.raises(ReportError) as raised:
        load(path)
    message = str(raised.value)
    assert said in message and str(path) in message and "\n" not in message


def test_missing_and_binary_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match=r"cannot read .*: No such file"):
        load(tmp_path / "none.json")
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ReportError, match="is not JSON"):
        load(tmp_path / "b.json")


# ---- the schema ---------------------------------------------------------------------------------------------


def test_the_schema_is_one() -> None:
    jsonschema_rs.meta.validate(schema())
    assert schema()["properties"]["schema"]["const"] == SCHEMA


def _broken() -> list[tuple[str, Any]]:
    """A valid report with one thing wrong in it, many times."""
    cases = []

    def case(name: str, change: Any) -> None:
        rows = json.loads(GOOD)
        change(rows, rows["backward_calls"][0]["graph"])
        cases.append((name, rows))

    case("key at the top", lambda rows, _: rows.update(time=3))
    case("no findings", lambda rows, _: rows.pop("findings"))
    case("mode", lambda rows, _: rows["recording"].update(mode="some"))
    case("key in a node", lambda _, graph: graph["nodes"][0].update(colour="red"))
    case("no gradient", lambda _, graph: graph["nodes"][0].pop("gradient"))
    case("kind", lambda _, graph: graph["nodes"][0].update(kind="module"))
    case("id", lambda _, graph: graph["nodes"][0].update(id="140234"))
    case("data is text", lambda _, graph: graph["nodes"][0]["before"].update(data="four"))
    case("data is an object", lambda _, graph: graph["nodes"][0]["before"].update(data={"x": 1}))
    case("moment", lambda _, graph: graph["nodes"][0]["before"].update(norm=1))
    case("slot of grad_fn", lambda _, graph: _edge_of(graph, "grad_fn").update(slot=0))
    case("next without slot", lambda _, graph: _edge_of(graph, "next").pop("slot"))
    case("check", lambda rows, _: rows["checked"].append({"rule": "a", "status": "fine", "reason": None}))
    case("finding", lambda rows, _: rows["findings"].append(asdict(finding("bad", evidence={}))))
    return cases


def _edge_of(graph: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(edge for edge in graph["edges"] if edge["kind"] == kind)


@pytest.mark.parametrize("rows", [pytest.param(rows, id=name) for name, rows in _broken()])
def test_the_schema_refuses(rows: Any) -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        VALIDATOR.validate(rows)


def test_the_schema_takes_what_is_optional() -> None:
    rows = json.loads(GOOD)
    graph = rows["backward_calls"][0]["graph"]
    function = next(node for node in graph["nodes"] if node["kind"] == "function")
    saved = {"name": "self", "tensor": None, "before": "held", "after": "released"}
    function["saved"] = [saved, saved | {"bytes": 4, "shape": [], "dtype": "float32"}]
    tensor = next(node for node in graph["nodes"] if node["kind"] == "tensor")
    tensor.update(expression="x**2", output_nr=0, name=None)
    _edge_of(graph, "next").pop("local")
    rows["backward_calls"][0]["location"] = unknown("called from C++")
    rows["exit"] = {"status": None, "exception": None}
    VALIDATOR.validate(rows)


# ---- large graphs -------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(graphs())
def test_any_values_come_back_from_columns(graph: Graph) -> None:
    again = from_columns(json.loads(json.dumps(to_columns(graph))))
    assert repr([*again.network.nodes(data=True)]) == repr([*graph.network.nodes(data=True)])
    assert repr([*again.network.edges(data=True)]) == repr([*graph.network.edges(data=True)])
    assert (again.roots, again.steps, again.error) == (graph.roots, graph.steps, graph.error)


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphs of ten functions count as large."""
    monkeypatch.setattr(file, "LARGE", 10)


@pytest.mark.usefixtures("small_limit")
def test_a_large_graph_is_saved_folded_and_whole(tmp_path: Path) -> None:
    path, graph = tmp_path / "report.json", loop(40)
    save(report_of(graph), path)
    folded = json.loads(path.read_text())
    VALIDATOR.validate(folded)
    said = folded["backward_calls"][0]["graph"]["folded"]
    assert said["whole"] == "report.full.json.gz"
    assert said["note"].endswith("; report.full.json.gz has all of them")
    shown = load(path).calls[0].graph
    members = [id for _, node in shown.network.nodes(data=True) for id in node.get("members", [])]
    functions = [id for id, _ in shown.functions()]
    assert sorted(members + functions) == sorted(id for id, _ in graph.functions())
    whole = load(tmp_path / "report.full.json.gz")
    assert plain(whole) == plain(report_of(graph))


@pytest.mark.usefixtures("small_limit")
def test_the_same_graph_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        save(report_of(loop(40)), tmp_path / name)
    assert (tmp_path / "a.full.json.gz").read_bytes() == (tmp_path / "b.full.json.gz").read_bytes()


@pytest.mark.usefixtures("small_limit")
def test_a_folded_report_is_drawn_as_it_is(tmp_path: Path) -> None:
    save(report_of(transformer(4)), tmp_path / "report.json")
    figure = draw(load(tmp_path / "report.json").calls[0].graph)
    assert any("report.full.json.gz has all of them" in remark for remark in figure.remarks)
    with pytest.raises(ValueError, match="cannot draw folded modules"):
        draw(load(tmp_path / "report.json").calls[0].graph, FigureOptions(style="attributes"))


def test_a_small_graph_has_no_second_file(tmp_path: Path) -> None:
    save(report_of(square()), tmp_path / "report.json")
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.json"]


def test_what_is_no_gzip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "report.full.json.gz").write_text("{}")
    with pytest.raises(ReportError, match="not a gzip file"):
        load(tmp_path / "report.full.json.gz")


@given(st.sets(st.integers(0, 60)))
def test_members_are_saved_in_short(numbers: set[int]) -> None:
    members = [f"n{number}" for number in sorted(numbers)]
    short = list(shortened(members))
    assert list(spelt_out(json.loads(json.dumps(short)))) == members
    assert len(short) <= len(members)
