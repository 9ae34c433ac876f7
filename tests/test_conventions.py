"""The limits of docs/contributing.md: lines of a function, parameters of a public one, fields of a class."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from inspector import cli
from inspector.options import FigureOptions

ROOT = Path(__file__).parents[1]
LINES, FIELDS, PARAMETERS = 40, 8, 6

ROWS = (
    "inspector/graph/row_types.py",
    "inspector/graph/values.py",
    "inspector/merging/row_types.py",
    "inspector/report/row_types.py",
    "inspector/report/timeline.py",
)
"""A row of the report has a field for each key of the file."""

OPTIONS = {"FigureOptions": "inspector/options/figure_options.py", "draw": "inspector/api/draw.py"}
"""The options of the command, one to one: a user gives them by name."""

_Definition = ast.ClassDef | ast.FunctionDef


@cache
def definitions() -> list[tuple[str, _Definition]]:
    """The functions and classes of the package, the gallery and the benchmarks, each with its file."""
    paths = [path for folder in ("inspector", "gallery", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    return [
        (path.relative_to(ROOT).as_posix(), node)
        for path in sorted(paths)
        for node in inner_definitions(ast.parse(path.read_text("utf-8")))
    ]


def inner_definitions(block: ast.AST) -> Iterator[_Definition]:
    """The functions and classes in a block, at any depth."""
    for node in ast.iter_child_nodes(block):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            yield node
        if isinstance(node, (ast.stmt, ast.ExceptHandler)):
            yield from inner_definitions(node)


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    yield from ((path, node) for path, node in definitions() if isinstance(node, ast.FunctionDef))


def own_fields(definition: ast.ClassDef) -> set[str]:
    """The annotated names of a class and what its methods assign to their first parameter."""
    found = {
        node.target.id
        for node in definition.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        if "ClassVar" not in ast.unparse(node.annotation)
    }
    for method in definition.body:
        if isinstance(method, ast.FunctionDef) and method.args.args and not is_of_class(method):
            this = method.args.args[0].arg
            found |= {
                node.attr
                for node in ast.walk(method)
                if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
                if isinstance(node.value, ast.Name) and node.value.id == this
            }
    return found


def is_of_class(method: ast.FunctionDef) -> bool:
    """Whether the first parameter of a method is not an object of its class."""
    return any(ast.unparse(decorator) in ("classmethod", "staticmethod") for decorator in method.decorator_list)


def test_functions_are_short() -> None:
    long = {
        f"{path}:{node.name}": count
        for path, node in functions()
        if (count := (node.end_lineno or 0) - node.lineno + 1) > LINES
    }
    assert long == {}


def test_public_functions_have_few_parameters() -> None:
    many = {}
    for path, node in functions():
        given = [item.arg for item in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        count = len([name for name in given if name not in ("self", "cls")])
        if count > PARAMETERS and not node.name.startswith("_") and OPTIONS.get(node.name) != path:
            many[f"{path}:{node.name}"] = count
    assert many == {}


def test_classes_have_few_fields() -> None:
    large = {
        f"{path}:{node.name}": sorted(found)
        for path, node in definitions()
        if isinstance(node, ast.ClassDef) and path not in ROWS and OPTIONS.get(node.name) != path
        if len(found := own_fields(node)) > FIELDS
    }
    assert large == {}


def test_the_options_of_a_figure_are_those_of_the_command() -> None:
    assert set(FigureOptions.__struct_fields__) <= {option.name for option in cli._parse.params}


def test_a_public_class_has_a_name_of_its_own() -> None:
    """So that a name in a message or a search leads to one place."""
    places: dict[str, list[str]] = {}
    for path, node in definitions():
        if isinstance(node, ast.ClassDef) and path.startswith("inspector/") and not node.name.startswith("_"):
            places.setdefault(node.name, []).append(path)
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}


def test_tests_import_from_a_package_what_it_offers() -> None:
    deep = {}
    for path in sorted((ROOT / "tests").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("inspector."):
                package = ".".join(str(node.module).split(".")[:2])
                offered = getattr(importlib.import_module(package), "__all__", ())
                found = [name.name for name in node.names if name.name in offered and node.module != package]
                if found:
                    deep[f"{path.name}:{node.lineno}: use {package}"] = found
    assert not deep


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("class A:\n    x: int\n    y: ClassVar[int]\n", {"x"}),
        ("class A:\n    def __init__(self):\n        self.a, self._b = 1, 2\n        self.c.d = 3\n", {"a", "_b"}),
        ("class A:\n    @classmethod\n    def f(cls):\n        cls.a = 1\n", set()),
        ("class A:\n    def f(this):\n        this.a: int = 1\n        self.b = 2\n", {"a"}),
    ],
)
def test_what_counts_as_a_field(code: str, names: set[str]) -> None:
    (definition,) = ast.parse(code).body
    assert isinstance(definition, ast.ClassDef)
    assert own_fields(definition) == names
