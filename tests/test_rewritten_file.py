"""report.json, written again: the same bytes as `save` writes, whatever has changed since."""

import os

import pytest
from graphs import saddle, square
from msgspec.structs import replace
from reports import finding, report_of

from inspector.graph import unknown
from inspector.report import ScriptRun, load, save
from inspector.report.rewritten_file import RewrittenFile

ENDED = ScriptRun("train.py", {"status": 1, "exception": 'ValueError: "parameters": [\n'})


def report_with(*graphs):
    """A report with a call for each graph."""
    calls = [call for graph in graphs for call in report_of(graph).calls]
    numbered = [replace(call, index=number) for number, call in enumerate(calls, 1)]
    return replace(report_of(square()), calls=numbered)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "report.json"


@pytest.fixture
def file(path):
    return RewrittenFile(path)


@pytest.fixture
def copies(monkeypatch):
    """How often all of a report was written."""
    counted = []
    monkeypatch.setattr(
        "inspector.report.rewritten_file.save", lambda report, path: (counted.append(path), save(report, path))
    )
    return counted


def assert_as_saved(report, path):
    whole = path.with_name("whole.json")
    save(report, whole)
    assert path.read_bytes() == whole.read_bytes()


CHANGES = [
    {"script": ENDED},
    {"script": ScriptRun("é\udcff.py", {"status": 0, "exception": None}, 'title "backward_calls": []')},
    {"findings": [finding(message="\n \"parameters\": ")]},
    {"recording": {"mode": "full", "watched": 1, "drawn": [1], "remarks": ["one"]}},
    {},
]


@pytest.mark.parametrize("change", CHANGES)
def test_the_same_calls_are_copied(file, path, copies, change):
    report = report_with(saddle(2.0, 0.0), square())
    file.write(report)
    for changed in (replace(report, **change), report):
        file.write(changed)
        assert_as_saved(changed, path)
    assert len(copies) == 1


def test_calls_with_texts_like_keys_are_copied_whole(file, path, copies):
    report = report_of(saddle(2.0, 0.0))
    location = unknown('\n "backward_calls": [],\n "parameters": ')
    report = replace(report, calls=[replace(report.calls[0], location=location)])
    for _ in range(3):
        file.write(report)
        assert_as_saved(report, path)
    assert len(copies) == 1


@pytest.mark.parametrize("graphs", [[], [square()], [saddle(2.0, 0.0), square()]])
def test_other_calls_are_written_in_full(file, path, copies, graphs):
    report = report_of(saddle(2.0, 0.0))
    file.write(report)
    other = report_with(*graphs)
    other = replace(other, calls=[*report.calls, *other.calls[1:]]) if len(graphs) > 1 else other
    file.write(other)
    assert_as_saved(other, path)
    assert len(copies) == 2


def test_no_calls_are_copied_too(file, path):
    report = report_with()
    for script in (report.script, ENDED):
        file.write(replace(report, script=script))
        assert_as_saved(replace(report, script=script), path)


@pytest.mark.parametrize("happens", [
    lambda path: save(report_of(square()), path),
    lambda path: path.unlink(),
    lambda path: path.write_bytes(path.read_bytes()[:-40]),
    lambda path: (path.write_bytes(b"x" * path.stat().st_size), os.utime(path, ns=(1, 1))),
])  # fmt: skip
def test_a_file_that_is_not_the_one_that_was_written_is_not_trusted(file, path, copies, happens):
    report = report_of(saddle(2.0, 0.0))
    file.write(report)
    happens(path)
    file.write(report)
    assert_as_saved(report, path)
    assert len(copies) == 2


def test_a_large_report_is_written_in_full_with_its_whole_graphs(file, path, copies, monkeypatch):
    monkeypatch.setattr("inspector.report.json_file.LARGE", 1)
    report = report_of(saddle(2.0, 0.0))
    for script in (report.script, ENDED):
        file.write(replace(report, script=script))
    whole = load(path.with_name("report.full.json.gz"))
    assert whole.script == ENDED
    assert len(copies) == 2
