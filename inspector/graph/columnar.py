"""Store rows in columns: the format of nodes and edges in `report.full.json.gz`, for graphs of a million Nodes.

A table is `{"count": N, "kinds": [...], "kind": column}`. Rows with the same keys have the same kind:
`kinds[k]` is `{key: column}` for the rows of kind k, in row order; `kind` is a column with the kind of each row.
A column is one of
- `{"all": value}`: every row has this value;
- `{"values": [...], "codes": [...]}`: row k has `values[codes[k]]`;
- `{"list": [...]}`: row k has the k-th value.
The rest of the file is as in report.json.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import msgspec

Table = dict[str, Any]
_Row = dict[str, Any]
_PLAIN = ({str}, {int}, {type(None)}, {bool})
"""Types of columns whose values can be compared without encoding them."""


def to_table(rows: Iterable[_Row], encode: Callable[[Any], Any]) -> Table:
    """Convert rows to a table. encode: converts a value to JSON; called once per object, not once per row."""
    kinds: dict[tuple[str, ...], list[_Row]] = defaultdict(list)
    numbers: dict[tuple[str, ...], int] = {}
    order = []
    for row in rows:
        keys = tuple(row)
        order.append(numbers.setdefault(keys, len(numbers)))
        kinds[keys].append(row)
    columns = [
        {key: _column(list(map(itemgetter(key), group)), encode) for key in keys} for keys, group in kinds.items()
    ]
    return {"count": len(order), "kinds": columns, "kind": _column(order, encode)}


def table_of_columns(columns: dict[str, list[Any]], encode: Callable[[Any], Any]) -> Table:
    """The table of rows that have the same keys: key → the value of every row. encode: as in `to_table`."""
    count = max(map(len, columns.values()), default=0)
    if count == 0:
        return to_table([], encode)
    kinds = [{key: _column(values, encode) for key, values in columns.items()}]
    return {"count": count, "kinds": kinds, "kind": {"all": 0}}


def from_table(table: Table, decode: Callable[[str, Any], Any]) -> Iterator[_Row]:
    """The rows of a table. decode: (key, JSON value) → value; equal values may share one object."""
    counts: dict[int, int] = defaultdict(int)
    order = list(_values(table["kind"], table["count"], lambda value: value))
    for kind in order:
        counts[kind] += 1
    kinds = [_rows(columns, counts[kind], decode) for kind, columns in enumerate(table["kinds"])]
    for kind in order:
        yield next(kinds[kind])


def _rows(columns: dict[str, Any], count: int, decode: Callable[[str, Any], Any]) -> Iterator[_Row]:
    keys = list(columns)
    values = [_values(column, count, partial(decode, key)) for key, column in columns.items()]
    for row in zip(*values, strict=True):
        yield dict(zip(keys, row, strict=True))


def _values(column: dict[str, Any], count: int, decode: Callable[[Any], Any]) -> Iterator[Any]:
    if "list" in column:
        return map(decode, column["list"])
    if "all" in column:
        value = decode(column["all"])
        return (value for _ in range(count))
    values = list(map(decode, column["values"]))
    return (values[code] for code in column["codes"])


def _column(values: Sequence[Any], encode: Callable[[Any], Any]) -> dict[str, Any]:
    if set(map(type, values)) in _PLAIN:
        known = {value: code for code, value in enumerate(dict.fromkeys(values))}
        distinct, codes = list(known), [known[value] for value in values]
    else:
        distinct, codes = _coded(values, encode)
    if len(distinct) == 1:
        return {"all": distinct[0]}
    if len(distinct) * 2 > len(values):
        return {"list": [distinct[code] for code in codes]}
    return {"values": distinct, "codes": codes}


def _coded(values: Sequence[Any], encode: Callable[[Any], Any]) -> tuple[list[Any], list[int]]:
    """The distinct values, encoded, and the index of each value among them. Many rows share the same objects."""
    by_identity: dict[int, int] = {}
    by_text: dict[str | bytes, int] = {}
    distinct: list[Any] = []
    codes = []
    for value in values:
        code = by_identity.get(id(value))
        if code is None:
            text = _text_as_it_is(value)
            encoded = value if text else encode(value)
            code = by_text.setdefault(text or _text(encoded), len(distinct))
            by_identity[id(value)] = code
            if code == len(distinct):
                distinct.append(encoded)
        codes.append(code)
    return distinct, codes


_to_json = msgspec.json.Encoder().encode


def _text_as_it_is(value: Any) -> bytes:
    """As `_text`, for a value that is JSON already; empty if it may not be. A `null` may stand for NaN."""
    try:
        text = _to_json(value)
    except (ValueError, OverflowError, TypeError):
        return b""
    return b"" if b"null" in text else text


def _text(encoded: Any) -> str | bytes:
    """A text that only equal values of the same types have."""
    try:
        return _to_json(encoded)
    except (ValueError, OverflowError, TypeError):  # lone surrogates, integers of more than 64 bits
        return repr(encoded)
