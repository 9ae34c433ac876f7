"""Check plain JSON values against types: of a row, a key or a whole report.

A type is compiled once into an `Accepted`: the Python types a value may have, and what to check further for each.
Most values then need a single lookup.
"""

from __future__ import annotations

import functools
import re
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from msgspec import Meta, Struct
from typing_extensions import NotRequired, get_type_hints, is_typeddict

from inspector.graph.row_types import IDS, IN_JSON

ValueCheck = Callable[[Any], None]
"""Raises Mismatch for an invalid value."""

_NAMES: dict[Any, str] = {dict: "object", list: "list", type(None): "null"}


class Mismatch(Exception):
    """A value does not match its type. path: its place, as keys and positions, innermost first."""

    def __init__(self, reason: str, *path: str | int) -> None:
        super().__init__(reason)
        self.path: list[str | int] = list(path)

    def __str__(self) -> str:
        """`graph.edges[1].slot: expected int, got str`."""
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in reversed(self.path))
        return f"{place.removeprefix('.')}: {self.args[0]}" if place else str(self.args[0])


class Accepted(dict[type, "ValueCheck | None"]):
    """The valid Python types of a value → a further check of the value, or None."""

    expected = ""

    def check(self, value: Any) -> None:
        """Raise Mismatch for an invalid value."""
        check = self.get(type(value), self._refuse)
        if check is not None:
            check(value)

    def _refuse(self, value: Any) -> None:
        raise Mismatch(f"expected {self.expected}, got {name_of(type(value))}")


class _Anything(Accepted):
    """Accepts every value."""

    def get(self, key: Any, default: Any = None) -> Any:
        """No check for any type."""
        return None


def name_of(python: type) -> str:
    """The name of a type of JSON: `int`, `list`, `object`, `null`."""
    return _NAMES.get(python, python.__name__)


@functools.cache
def accepted(hint: Any) -> Accepted:
    """The valid values of a type in JSON."""
    found = _Anything() if hint is Any else Accepted()
    if hint is not Any:
        _add(found, hint)
        rows = [row for row in members_of(hint) if is_row(row)]
        if rows:
            found[dict] = _of_rows(rows) if len(rows) > 1 else _row(rows[0])
        found.expected = " or ".join(dict.fromkeys(_described(member) for member in members_of(hint)))
    return found


def members_of(hint: Any) -> list[Any]:
    """The members of a union, as they are in JSON; for any other type, the type itself."""
    hint = IN_JSON.get(hint, hint)
    plain = hint.__origin__ if get_origin(hint) is Annotated else hint
    if get_origin(plain) in (Union, types.UnionType):
        return [member for part in get_args(plain) for member in members_of(part)]
    return [hint]


def _add(found: Accepted, hint: Any) -> None:
    for member in members_of(hint):
        is_limited = get_origin(member) is Annotated
        plain, limits = (member.__origin__, member.__metadata__) if is_limited else (member, ())
        if plain is float:
            found |= {float: None, int: None}
        elif plain in (int, str, bool):
            found[plain] = _limited(limits)
        elif plain is type(None):
            found[plain] = None
        elif get_origin(plain) is Literal:
            found |= {type(choice): _one_of(found, get_args(plain)) for choice in get_args(plain)}
        elif get_origin(plain) is list:
            found[list] = _items(get_args(plain)[0], limits)
        elif get_origin(plain) is dict:
            found[dict] = _mapping(get_args(plain)[1])
        elif not is_row(plain):
            raise TypeError(f"no check for {plain!r}")


def is_row(hint: Any) -> bool:
    """Whether a type is a row: an object with fixed keys."""
    return is_typeddict(hint) or (isinstance(hint, type) and issubclass(hint, Struct))


def keys_of(row: Any) -> dict[str, tuple[Any, bool]]:
    """The keys of a row in JSON, with the type of each and whether it is required."""
    hints = {**IDS.get(row, {}), **get_type_hints(row, include_extras=True)}
    optional = {key for key, hint in hints.items() if get_origin(hint) is NotRequired}
    plain = {key: get_args(hint)[0] if key in optional else hint for key, hint in hints.items()}
    return {key: (hint, key not in optional) for key, hint in plain.items()}


# ---- single values --------------------------------------------------------------------------------------------


def _limited(limits: tuple[Any, ...]) -> ValueCheck | None:
    for limit in limits:
        if isinstance(limit, Meta) and limit.ge is not None:
            return functools.partial(_at_least, limit.ge)
        if isinstance(limit, Meta) and limit.pattern is not None:
            return functools.partial(_matches, re.compile(limit.pattern).fullmatch)
    return None


def _at_least(least: float, value: float) -> None:
    if value < least:
        raise Mismatch(f"expected at least {least}, got {value}")


def _matches(match: Callable[[str], object], value: str) -> None:
    if match(value) is None:
        raise Mismatch(f"expected an id like n0 or t0, got {_shown(value)}")


def _one_of(found: Accepted, values: tuple[Any, ...]) -> ValueCheck:
    choices = {(type(choice), choice) for choice in values}

    def check(value: Any) -> None:
        if (type(value), value) not in choices:
            raise Mismatch(f"expected {found.expected}, got {_shown(value)}")

    return check


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _described(member: Any) -> str:
    """A type in words: `int`, `list`, `function`, `"full" or "light"`."""
    plain = member.__origin__ if get_origin(member) is Annotated else member
    if get_origin(plain) is Literal:
        return " or ".join(f'"{choice}"' if isinstance(choice, str) else str(choice) for choice in get_args(plain))
    return name_of(dict if is_row(plain) else get_origin(plain) or plain)


# ---- lists and objects ------------------------------------------------------------------------------------


def _items(hint: Any, limits: tuple[Any, ...]) -> ValueCheck:
    length = next((limit.min_length for limit in limits if isinstance(limit, Meta)), None)
    known: list[Accepted] = []  # created on first use, since types may be recursive

    def check(values: list[Any]) -> None:
        if length is not None and len(values) != length:
            raise Mismatch(f"expected {length} items, got {len(values)}")
        if not known:
            known.append(accepted(hint))
        if not _are_plain(known[0], values):
            _each(known[0], enumerate(values))

    return check


def _are_plain(inner: Accepted, values: list[Any]) -> bool:
    """Whether a fast check shows that a list is valid, as it does for shapes and the counts of a histogram."""
    kinds = set(map(type, values))
    checks = [inner.get(kind, inner._refuse) for kind in kinds]
    if len(checks) == 1 and isinstance(checks[0], functools.partial) and checks[0].func is _at_least:
        return bool(min(values) >= checks[0].args[0])
    return not any(checks)


def _mapping(hint: Any) -> ValueCheck:
    if hint is Any:
        return _anything
    inner = accepted(hint)
    return lambda values: _each(inner, values.items())


def _anything(_: Any) -> None:
    pass


def _each(inner: Accepted, values: Any) -> None:
    get, refuse = inner.get, inner._refuse
    key: str | int = 0
    try:
        for key, value in values:  # noqa: B007 (the last key is where a mismatch is)
            check = get(type(value), refuse)
            if check is not None:
                check(value)
    except Mismatch as error:
        error.path.append(key)
        raise


@functools.cache
def _row(row: Any) -> ValueCheck:
    """The check of an object by its keys."""
    keys = keys_of(row)
    inner = {key: accepted(hint) for key, (hint, _) in keys.items()}
    required = frozenset(key for key, (_, is_required) in keys.items() if is_required)

    def check(values: dict[str, Any]) -> None:
        key = ""
        try:
            for key, value in values.items():
                known = inner[key]
                further = known.get(type(value), known._refuse)
                if further is not None:
                    further(value)
        except Mismatch as error:
            error.path.append(key)
            raise
        except KeyError:
            raise Mismatch("unknown key; the report may be from a newer version", key) from None
        if not required <= values.keys():
            raise Mismatch("missing", min(required - values.keys(), key=list(keys).index))

    return check


def _of_rows(rows: list[Any]) -> ValueCheck:
    """The check of an object that is one of several rows, distinguished by its kind or else by a key."""
    owned = {discriminator(row): row for row in reversed(rows)}
    if all(key == "kind" for key, _ in owned):
        return functools.partial(_by_kind, {kind: _row(row) for (_, kind), row in reversed(owned.items())})
    return functools.partial(_by_key, {key: row for (key, _), row in owned.items()}, {})


def discriminator(row: Any) -> tuple[str, str]:
    """What distinguishes a row from others: ("kind", its kind), or its first key and an empty text."""
    keys = keys_of(row)
    if "kind" in keys and get_origin(keys["kind"][0]) is Literal and len(get_args(keys["kind"][0])) == 1:
        return "kind", get_args(keys["kind"][0])[0]
    return next(iter(keys)), ""


def _by_kind(kinds: Mapping[str, ValueCheck], values: dict[str, Any]) -> None:
    if "kind" not in values:
        raise Mismatch("missing", "kind")
    check = kinds.get(kind) if isinstance(kind := values["kind"], str) else None
    if check is None:
        names = " or ".join(f'"{name}"' for name in kinds)
        raise Mismatch(f"expected {names}, got {_shown(kind)}", "kind")
    check(values)


def _by_key(rows: Mapping[str, Any], checks: dict[str, ValueCheck], values: dict[str, Any]) -> None:
    for key, row in rows.items():
        if key in values:
            if key not in checks:
                checks[key] = _row(row)  # created on first use, since types may be recursive
            checks[key](values)
            return
    raise Mismatch(f"expected an object with {' or '.join(rows)}, got one with {', '.join(values) or 'no key'}")
