"""Which files are the user's, and how a path is written in a report."""

from __future__ import annotations

import json
import linecache
from pathlib import Path

import pytest
import torch

import inspector.user_code.paths
from inspector.user_code.comments import without_comments
from inspector.user_code.paths import UserFiles


def test_the_users_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, work = tmp_path / "scripts", tmp_path / "work"
    for path in (folder, work):
        path.mkdir()
    monkeypatch.chdir(work)
    files = UserFiles(str(folder))
    assert files.is_users(str(folder / "train.py"))
    assert files.is_users(str(folder / "models" / "gpt.py"))
    assert files.is_users(str(work / "helper.py"))
    assert not files.is_users(str(tmp_path / "scripts-of-others" / "train.py"))
    assert not files.is_users(str(folder / ".venv" / "lib" / "site-packages" / "x.py"))
    assert not files.is_users(torch.__file__)
    assert not files.is_users(json.__file__)
    assert not files.is_users(inspector.user_code.paths.__file__)
    assert not files.is_users("<frozen importlib._bootstrap>")
    assert not files.is_users("<string>")
    assert files.is_users("/tmp/ipykernel_12/345.py")


def test_a_notebook_cell_is_the_users() -> None:
    name = "<ipython-input-1-abc>"
    linecache.cache[name] = (4, None, ["x=1\n"], name)
    try:
        assert UserFiles(".").is_users(name)
        assert UserFiles(".").display_path(name) == name
        assert UserFiles(".").statement_at(name, 1) == "x=1"
    finally:
        del linecache.cache[name]


def test_paths_and_statements(tmp_path: Path) -> None:
    script = tmp_path / "models" / "gpt.py"
    script.parent.mkdir()
    script.write_text("if True:\n    x = 1  # one\n")
    files = UserFiles(str(tmp_path))
    assert files.display_path(str(script)) == "models/gpt.py"
    assert files.display_path(torch.__file__) == "site-packages/torch/__init__.py"
    assert files.display_path("/elsewhere/deep/file.py") == "file.py"
    assert files.statement_at(str(script), 2) == "x = 1"
    assert files.statement_at(str(script), 9) == ""


def test_the_statement_of_a_column(tmp_path: Path) -> None:
    """Columns count bytes; a line that is no program of its own stays whole."""
    script = tmp_path / "lines.py"
    script.write_text('    é = 1; y = 2;  z = "; "\nif True: x = 1; y = 2\n', "utf-8")
    files = UserFiles(str(tmp_path))
    assert [files.statement_at(str(script), 1, column) for column in (4, 12, 25)] == ["é = 1", "y = 2", 'z = "; "']
    assert (
        files.statement_at(str(script), 1, 11) == files.statement_at(str(script), 1) == 'é = 1; y = 2;  z = "; "'
    )
    assert files.statement_at(str(script), 2, 9) == "if True: x = 1; y = 2"


@pytest.mark.parametrize(
    ("code", "without"),
    [
        ("loss = f(x)  # scaled", "loss = f(x)"),
        ("x = '# no'  # yes", "x = '# no'"),
        ("f(a,  # one\n  b)  # two", "f(a,\n  b)"),
        ("f(a,  # a line of a call", "f(a,"),
        ("if x:  # when", "if x:"),
        ("y = (1 +\n    # alone\n    2)", "y = (1 +\n    2)"),
        ("'''# a string that goes on", "'''# a string that goes on"),
        ("x = 1", "x = 1"),
    ],
)
def test_comments_are_no_code(code: str, without: str) -> None:
    assert without_comments(code) == without
