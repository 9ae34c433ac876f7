"""Check rows stored in columns: a value shared by many rows is checked once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from typing_extensions import TypedDict

from inspector.graph.values import Count
from inspector.report.checking import Mismatch, accepted, keys_of


class _Same(TypedDict):
    all: Any


class _Coded(TypedDict):
    values: list[Any]
    codes: list[Count]


class _Listed(TypedDict):
    list: list[Any]


class _Table(TypedDict):
    count: Count
    kinds: list[dict[str, _Same | _Coded | _Listed]]
    kind: _Same | _Coded | _Listed


def check_table(table: Any, types: Mapping[str, Any]) -> None:
    """Raise Mismatch unless this is a table of `inspector.graph.columnar`. types: those of its rows, by kind."""
    accepted(_Table).check(table)
    _check_length(table["kind"], table["count"], "kind")
    counts = Counter(_all_of(table["kind"], table["count"]))
    for number in counts:
        if type(number) is not int or not 0 <= number < len(table["kinds"]):
            raise Mismatch(f"expected the number of a kind, got {number!r}", "kind")
    for number, columns in enumerate(table["kinds"]):
        try:
            _check_rows(columns, counts[number], types)
        except Mismatch as error:
            error.path += [number, "kinds"]
            raise


def _check_rows(columns: dict[str, Any], count: int, types: Mapping[str, Any]) -> None:
    """Check rows that have the same keys."""
    for key, column in columns.items():
        _check_length(column, count, key)
    if "kind" not in columns:
        raise Mismatch("missing", "kind")
    for kind in {value if isinstance(value, str) else "" for _, value in _distinct(columns["kind"])}:
        if kind not in types:
            raise Mismatch(f"expected {' or '.join(types)}, got {kind!r}", "kind")
        keys = keys_of(types[kind])
        for key, (_, is_required) in keys.items():
            if is_required and key not in columns:
                raise Mismatch("missing", key)
        for key, column in columns.items():
            if key not in keys:
                raise Mismatch("unknown key; the report may be from a newer version", key)
            if key != "kind":
                _check_values(column, keys[key][0], key)


def _check_values(column: dict[str, Any], hint: Any, key: str) -> None:
    check = accepted(hint).check
    for place, value in _distinct(column):
        try:
            check(value)
        except Mismatch as error:
            error.path += [*place, key]
            raise


def _distinct(column: dict[str, Any]) -> Iterable[tuple[tuple[str | int, ...], Any]]:
    """(place, innermost first; value) for the distinct values of a column."""
    if "all" in column:
        return [(("all",), column["all"])]
    key = "list" if "list" in column else "values"
    return (((position, key), value) for position, value in enumerate(column[key]))


def _all_of(column: dict[str, Any], count: int) -> Iterable[Any]:
    if "all" in column:
        return [column["all"]] * count
    return column["list"] if "list" in column else (column["values"][code] for code in column["codes"])


def _check_length(column: dict[str, Any], count: int, key: str) -> None:
    """Raise Mismatch unless the column has this number of rows, and its codes refer to its values."""
    if "all" in column:
        return
    length = len(column["list" if "list" in column else "codes"])
    if length != count:
        raise Mismatch(f"expected {count} values, got {length}", key)
    if "codes" in column and column["codes"] and max(column["codes"]) >= len(column["values"]):
        raise Mismatch(f"no value has the code {max(column['codes'])}", "codes", key)
