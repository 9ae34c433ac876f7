"""The JSON Schemas of report.json and merged.json, generated from their types and the docstrings of their keys."""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from typing_extensions import get_original_bases, is_typeddict

from inspector.graph.row_types import IN_JSON, Id
from inspector.graph.values import Real, Statistic, Value
from inspector.report.checking import is_row, keys_of
from inspector.report.row_types import ReportRows

_Schema = dict[str, Any]
_NAMES = {Id: "Id", Real: "Real", Statistic: "Statistic", Value: "Value"}
"""Types that are not objects but have their own definition."""
_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null", dict: "object"}
_LIMITS = {"ge": "minimum", "pattern": "pattern", "min_length": "minItems", "max_length": "maxItems"}
"""Limits of msgspec → their keywords in a schema."""


def schema_of_report() -> _Schema:
    """The schema of report.json."""
    return schema_of(ReportRows, "report.json")


def schema_of(rows: Any, title: str) -> _Schema:
    """The schema (2020-12) of a file with such rows, with a definition for each type of row."""
    definitions: dict[str, _Schema] = {}
    root = _object(rows, definitions)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return {**head, **root, "$defs": dict(sorted(definitions.items()))}


def _schema(hint: Any, definitions: dict[str, _Schema]) -> _Schema:
    """The schema of a type. definitions: receives the definitions of named types."""
    if hint in _NAMES:
        return _reference(_NAMES[hint], lambda: _spelt_out(hint, definitions), definitions)
    return _spelt_out(hint, definitions)


def _spelt_out(hint: Any, definitions: dict[str, _Schema]) -> _Schema:
    limits = hint.__metadata__ if get_origin(hint) is Annotated else ()
    plain = IN_JSON.get(hint, hint.__origin__ if limits else hint)
    return _of(plain, definitions) | {name: item for limit in limits for name, item in _limit(limit)}


def _of(plain: Any, definitions: dict[str, _Schema]) -> _Schema:
    origin, parts = get_origin(plain), get_args(plain)
    if plain is Any:
        return {}
    if is_row(plain):
        return _reference(plain.__name__, lambda: _object(plain, definitions), definitions)
    if origin is Literal:
        return {"enum": list(parts)} if len(parts) > 1 else {"const": parts[0]}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(part, definitions) for part in parts]}
    if origin is list:
        return {"type": "array", "items": _schema(parts[0], definitions)}
    if origin is dict:
        values = _schema(parts[1], definitions)
        return {"type": "object"} | ({"additionalProperties": values} if values else {})
    return {"type": _TYPES[plain]}


def _limit(limit: Any) -> list[tuple[str, Any]]:
    found = [(keyword, getattr(limit, name)) for name, keyword in _LIMITS.items()]
    return [(keyword, item) for keyword, item in (*found, ("description", limit.description)) if item is not None]


def _reference(name: str, make: Callable[[], _Schema], definitions: dict[str, _Schema]) -> _Schema:
    """A reference to a definition, which is created on first use."""
    if name not in definitions:
        definitions[name] = {}  # first, since it may refer to itself
        definitions[name] = make()
    return {"$ref": f"#/$defs/{name}"}


def _object(row: Any, definitions: dict[str, _Schema]) -> _Schema:
    """The schema of a row, with descriptions of its keys."""
    keys, texts = keys_of(row), _texts(row)
    properties = {key: _schema(hint, definitions) | texts.get(key, {}) for key, (hint, _) in keys.items()}
    return {
        "description": " ".join(str(row.__doc__).split()),
        "type": "object",
        "properties": properties,
        "required": [key for key, (_, is_required) in keys.items() if is_required],
        "additionalProperties": False,
    }


def _texts(row: Any) -> dict[str, _Schema]:
    """The docstring of each key of a row and of the types that it extends, from their source."""
    extended = [_texts(base) for base in get_original_bases(row) if is_typeddict(base)]
    return {key: text for texts in (*extended, _own_texts(row)) for key, text in texts.items()}


def _own_texts(row: Any) -> dict[str, _Schema]:
    try:
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(row))).body
    except (OSError, SyntaxError, ValueError):
        return {}  # created by a call, since a key is a keyword; the descriptions are in its types
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for key, text in zip(tree.body, tree.body[1:], strict=False):
        if not isinstance(text, ast.Expr) or not isinstance(text.value, ast.Constant):
            continue
        if isinstance(key, ast.AnnAssign) and isinstance(key.target, ast.Name):
            found[key.target.id] = {"description": " ".join(str(text.value.value).split())}
    return found
