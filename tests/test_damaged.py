"""Reports with one thing wrong in them: each is read and drawn all the same, or refused in one line."""

from __future__ import annotations

import copy
import gzip
import io
import itertools
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from golden import FOLDER
from graphs import SHAPES
from hypothesis import given, settings
from hypothesis import strategies as st
from reports import finding, report_of
from rich.console import Console
from running import ScriptRunner

import inspector
from inspector.diagnosis import diagnose_report
from inspector.diagnosis.mark_graph import mark_graph
from inspector.figure import draw
from inspector.report import ReportError, from_json, load, save, schema, to_json
from inspector.report import json_file as file
from inspector.report.checking import Mismatch, accepted
from inspector.report.quick_check import is_of
from inspector.report.row_types import ReportRows
from inspector.report.schema_of import schema_of_report
from inspector.terminal import show
from inspector.terminal.print_call import Shown

DATA = Path(__file__).parent / "data"
ROOT = Path(__file__).parents[1]


def _with_new_keys(schema: Any) -> Any:
    """A schema that lets objects have keys of later versions, which older readers ignore."""
    if isinstance(schema, dict):
        open_to_keys = {key: item for key, item in schema.items() if item is not False}  # additionalProperties
        return {key: _with_new_keys(item) for key, item in open_to_keys.items()}
    return [_with_new_keys(item) for item in schema] if isinstance(schema, list) else schema


FIRST = jsonschema_rs.Draft202012Validator(_with_new_keys(json.loads((DATA / "schema_1.json").read_text("utf-8"))))
"""The schema as it was written by hand, before it followed from the types."""
NOW = jsonschema_rs.Draft202012Validator(schema())
TRAINING = json.loads((DATA / "training.json").read_text("utf-8"))
"""Two calls of a training loop with cuts, writes, events, optimizers and findings."""

Path_ = tuple[str | int, ...]
GONE = object()
WRONG = (None, True, -1, 10**12, 1.5, "", "zz", [], {}, ["x"], {"unknown": 3}, {"x": 1}, [[1]], GONE)
"""What is put in the place of a value, or that it is taken out."""


def paths(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """The places of all values."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from paths(item, (*path, key))


def changed(rows: Any, path: Path_, value: Any) -> Any:
    """The rows with another value in one place, or with none there."""
    made = copy.deepcopy(rows)
    *way, last = path
    here = made
    for key in way:
        here = here[key]
    if value is GONE:
        del here[last]
    else:
        here[last] = value
    return made


def one_of_each(rows: Any) -> list[Path_]:
    """A place for each way of keys: of the items of a list but the first of each kind."""
    found: dict[tuple[Any, ...], Path_] = {}
    for path in paths(rows):
        here, way = rows, []
        for key in path:
            here = here[key]
            way.append("" if isinstance(key, int) else key)
            if isinstance(here, dict):
                way.append(here.get("kind"))
        found.setdefault(tuple(way), path)
    return list(found.values())


def refusal(rows: Any) -> str | None:
    """What is said of a report that is not read; None of one that is."""
    try:
        from_json(json.dumps(rows))
    except ReportError as error:
        assert "\n" not in str(error)
        return str(error)
    return None


# ---- the schema, the check and the quick check say the same ------------------------------------------------


def test_the_schema_is_what_the_types_say(request: pytest.FixtureRequest) -> None:
    path = ROOT / "inspector" / "report" / "schema.json"
    text = json.dumps(schema_of_report(), indent=2, ensure_ascii=False) + "\n"
    if request.config.getoption("--update-golden"):
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.json")))
def test_a_golden_report_is_right_by_all_of_them(name: str) -> None:
    rows = json.loads((FOLDER / name).read_text("utf-8"))
    FIRST.validate(rows)
    NOW.validate(rows)
    assert is_of(ReportRows, rows) and refusal(rows) is None


@pytest.mark.parametrize("shape", SHAPES)
def test_a_report_of_every_shape_is_right_by_all_of_them(shape: str) -> None:
    rows = json.loads(to_json(report_of(SHAPES[shape](), findings=[finding()])))
    FIRST.validate(rows)
    NOW.validate(rows)
    assert is_of(ReportRows, rows) and refusal(rows) is None


def test_what_the_first_schema_refused_is_refused() -> None:
    """A wrong value, another one each time, in every kind of place."""
    wrong = itertools.cycle(WRONG)
    for path in one_of_each(TRAINING):
        value = next(wrong)
        rows = changed(TRAINING, path, value)
        is_right = NOW.is_valid(rows)
        assert FIRST.is_valid(rows) or not is_right, (path, value)
        assert is_right or refusal(rows) is not None, (path, value)


@settings(max_examples=100)
@given(st.sampled_from(list(paths(TRAINING))), st.sampled_from(WRONG))
def test_the_quick_check_and_the_one_with_words_agree(path: Path_, value: Any) -> None:
    rows = changed(TRAINING, path, value)
    try:
        accepted(ReportRows).check(rows)
    except Mismatch:
        assert not is_of(ReportRows, rows)
    else:
        assert is_of(ReportRows, rows)


# ---- one thing wrong --------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.sampled_from(list(paths(TRAINING))), st.sampled_from(WRONG))
def test_a_report_with_one_thing_wrong_is_refused_or_drawn(path: Path_, value: Any) -> None:
    try:
        report = diagnose_report(from_json(json.dumps(changed(TRAINING, path, value))))
    except ReportError as error:
        assert "\n" not in str(error)
        return
    mark_graph(report)
    for call in report.calls:
        draw(call.graph)
    show(Console(file=io.StringIO(), width=100), report, Shown([call.index for call in report.calls]))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("edges", 1, "slot"), "0", "graph.edges[1].slot: expected int, got str"),
        (("edges", 1, "slot"), -1, "graph.edges[1].slot: expected at least 0, got -1"),
        (("edges", 1, "slot"), GONE, "graph.edges[1].slot: missing"),
        (("edges", 1, "target"), "n99", "graph.edges[1].target: no node has the id 'n99'"),
        (("edges", 1, "target"), "t0", "graph.edges[1].target: expected the id of a function, got"),
        (("nodes", 0, "colour"), "red", "graph.nodes[0].colour: unknown key"),
        (("nodes", 1, "id"), "t0", "graph.nodes[1].id: duplicate id 't0'"),
        (("nodes", 1, "id"), "140234", "graph.nodes[1].id: expected an id like n0 or t0, got '140234'"),
        (("nodes", 1, "kind"), "module", 'graph.nodes[1].kind: expected "function" or "tensor" or "fold", got'),
        (("nodes", 0, "before", "data"), "four", "graph.nodes[0].before.data: expected bool or int or float or"),
        (("roots", 0), "t99", "graph.roots[0]: no node has the id 't99'"),
        (("steps", 2), "t0", "graph.steps[2]: expected the id of a function, got that of a tensor"),
    ],
)
def test_the_line_says_where_and_what(tmp_path: Path, path: Path_, value: Any, said: str) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps(changed(TRAINING, ("backward_calls", 0, "graph", *path), value)), "utf-8")
    with pytest.raises(inspector.ReportError) as raised:
        inspector.load(broken)
    assert f"broken.json is a damaged report: backward_calls[0].{said}" in str(raised.value)


def test_the_command_says_the_line_and_exits_with_2(inspect_script: ScriptRunner, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps(changed(TRAINING, ("backward_calls", 0, "index"), "1")), "utf-8")
    ran = inspect_script.command(str(broken))
    assert ran.status == 2
    assert ran.stderr.splitlines() == [
        f"inspect: {broken} is a damaged report: backward_calls[0].index: expected int, got str;"
        " run inspect on the script again"
    ]


# ---- in columns -------------------------------------------------------------------------------------------


@pytest.fixture
def columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A report with its nodes and edges in columns."""
    monkeypatch.setattr(file, "LARGE", 2)
    save(load(DATA / "training.json"), tmp_path / "report.json")
    return json.loads(gzip.decompress((tmp_path / "report.full.json.gz").read_bytes()))


def test_a_report_in_columns_with_one_thing_wrong_is_refused_or_read(columns: Any) -> None:
    assert refusal(columns) is None
    wrong = itertools.cycle(WRONG)
    places = [path for path in paths(columns) if {"nodes", "edges"} & set(path)]
    for path in places[:: max(1, len(places) // 300)]:
        rows = changed(columns, path, next(wrong))
        if refusal(rows) is None:
            report = from_json(json.dumps(rows))
            assert all(len(call.graph.network) for call in report.calls)


def test_what_is_wrong_in_columns_is_told_with_its_place(columns: Any) -> None:
    kinds = ("backward_calls", 0, "graph", "nodes", "kinds")
    number, column = next(
        (number, column)
        for number, group in enumerate(columns["backward_calls"][0]["graph"]["nodes"]["kinds"])
        for column in [group.get("dtype")]
        if column
    )
    place = next(iter(column))
    said = refusal(changed(columns, (*kinds, number, "dtype", place), 3 if place == "all" else [3]))
    assert said is not None and f"backward_calls[0].graph.nodes.kinds[{number}].dtype" in said


# ---- what is no file --------------------------------------------------------------------------------------


def test_a_fifo_a_device_a_folder_and_a_socket_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.json")
    (tmp_path / "folder.json").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.json"))
        for name, kind in (("fifo", "a FIFO"), ("folder", "a folder"), ("socket", "a socket")):
            with pytest.raises(ReportError, match=f"it is {kind}, not a file"):
                load(tmp_path / f"{name}.json")
    with pytest.raises(ReportError, match="it is a device, not a file"):
        load("/dev/zero")


def test_a_truncated_gzip_file_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress((DATA / "training.json").read_bytes())
    for name, content in (("short", whole[:-20]), ("bent", whole[:100] + b"\0\0\0" + whole[103:])):
        (tmp_path / f"{name}.json.gz").write_bytes(content)
        with pytest.raises(ReportError, match="is not a gzip file"):
            load(tmp_path / f"{name}.json.gz")
