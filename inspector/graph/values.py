"""Plain values, which the model stores instead of tensors.

A value is one of
- ``None``: torch's own None (a ``grad`` that is None), never "not known";
- a bool, int, float or complex: a tensor without dimensions, in full;
- nested lists of those: a tensor of up to ``FULL`` elements, in full;
- a summary, ``{"shape", "dtype", "norm", "mean", "min", "max", "zeros", "nans", "infinities", "histogram"}``; a
  light recording has only the first three; a small tensor may also have its ``elements``, packed by
  `inspector.graph.elements`;
- ``{"unknown": reason}``: a value that was not recorded.

The histogram counts magnitudes by powers of two: ``{"counted", "exponent", "counts"}``, where ``counts[k]``
elements have 2**(exponent + k) <= |element| < 2**(exponent + k + 1). It covers a sample of ``counted`` elements,
taken at even distances (all elements of a tensor of up to 511; only stored elements of a sparse tensor). Zeros,
NaN and infinities are not in any bucket; without buckets the exponent is None.

In JSON, NaN and infinities are strings and a complex number is ``{"re", "im"}``; `encode` and `decode` convert
between the two forms.
"""

from __future__ import annotations

import functools
import math
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta
from typing_extensions import NotRequired, TypedDict, TypeIs, final

FULL = 9
"""Tensors of up to this many elements are kept in full (a 3 x 3 matrix still fits a figure)."""

Count: TypeAlias = Annotated[int, Meta(ge=0)]
Shape: TypeAlias = list[Count]
Real: TypeAlias = Annotated[float, Meta(title="real")]
Value: TypeAlias = Annotated[
    Any,
    Meta(
        title="value",
        description="The content of a tensor. null is torch's own None; up to 9 elements are given in full, as a"
        " number or nested lists; a larger tensor is a summary. Where a function has several outputs: a list by"
        " output number.",
    ),
]


@final
class Unknown(TypedDict):
    """Something that was not recorded. Never a guess, and never null."""

    unknown: str
    """Why it was not recorded."""


class Complex(TypedDict):
    """A complex number."""

    re: Real
    im: Real


class Histogram(TypedDict):
    """Magnitudes of a sample of the elements, by powers of two; in a full recording."""

    counted: Count
    """Number of elements in the sample, taken at even distances; a tensor of up to 511 elements is counted
    completely. Zeros, NaN and infinities are not in any bucket."""
    exponent: int | None
    """Exponent of the first bucket; null if there are no buckets."""
    counts: list[Count]
    """counts[k]: number of elements with 2**(exponent + k) <= |element| < 2**(exponent + k + 1)."""


Statistic: TypeAlias = Annotated[Any, Meta(title="statistic")]


class Summary(TypedDict):
    """A tensor of more than 9 elements."""

    shape: Shape
    dtype: str
    norm: Statistic
    """The 2-norm."""
    mean: NotRequired[Statistic]
    min: NotRequired[Statistic]
    max: NotRequired[Statistic]
    zeros: NotRequired[Count]
    """Number of elements that are exactly zero."""
    nans: NotRequired[Count]
    infinities: NotRequired[Count]
    histogram: NotRequired[Histogram]
    elements: NotRequired[str]
    """All elements of a tensor of up to 256, in row-major order: little-endian float32 where that is exact, else
    float64, as base64. Of as many tensors as a graph has room for; leaves and named tensors only in a large
    graph."""
    norms: NotRequired[list[Real]]
    """The least and the greatest norm over the ranks of a distributed run, where they differ: in a merged report.
    For a single number, its least and greatest value."""
    computed: NotRequired[str]
    """The source of the numbers, if the tensor itself was not seen: another tensor with the same elements."""


_NotFinite: TypeAlias = Literal["nan", "inf", "-inf"]

IN_JSON: dict[Any, Any] = {
    Real: int | float | _NotFinite,
    Statistic: int | float | _NotFinite | Unknown | None,
    Value: bool | int | float | _NotFinite | None | list[Value] | Summary | Complex | Unknown,
}
"""The types that stand for these in a file, where NaN is a string. A summary is distinguished by its `shape`."""

_AS_THEY_ARE = (str, int, bool, type(None))
_NAMED_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def unknown(reason: str) -> Unknown:
    """The value for something that was not recorded, with the reason."""
    return {"unknown": reason}


def is_unknown(value: Value) -> TypeIs[Unknown]:
    """Whether `value` is unknown."""
    return isinstance(value, dict) and "unknown" in value


def is_summary(value: Value) -> TypeIs[Summary]:
    """Whether `value` is the summary of a tensor too large to be stored in full."""
    return isinstance(value, dict) and "norm" in value


def is_number(value: Value) -> bool:
    """Whether `value` is one number (a tensor without dimensions)."""
    return isinstance(value, (bool, int, float, complex))


def flat_elements(value: Value) -> list[Any]:
    """The elements of a value in full, row after row; one that is no list is its only element."""
    return [number for item in value for number in flat_elements(item)] if isinstance(value, list) else [value]


def encode(value: Any) -> Any:
    """Convert `value`, or any plain structure that holds values, to JSON."""
    if type(value) in _AS_THEY_ARE:  # nearly all values of a large graph
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _float_name(value)
    if isinstance(value, complex):
        return {"re": encode(value.real), "im": encode(value.imag)}
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    return value


def decode_number(value: Any) -> Value:
    """Convert one element from JSON to a number."""
    if isinstance(value, str):
        return _NAMED_FLOATS.get(value, value)  # any other string (a reason, a symbol) is unchanged
    if isinstance(value, dict) and value.keys() == {"re", "im"}:
        return complex(decode_number(value["re"]), decode_number(value["im"]))
    return value


def decode(value: Any) -> Value:
    """Convert a value from JSON to the model's form. The inverse of `encode` for values.

    Parts that are the same in both forms are not necessarily copied.
    """
    kind = type(value)
    if kind is float or kind is int or value is None:  # nearly all values of a large graph
        return value
    if kind is dict and "norm" in value and "shape" in value and _has_no_names(value):
        return value
    if kind is dict and len(value) == 1 and type(reason := value.get("unknown")) is str:
        return _one_unknown(reason)
    if isinstance(value, list):
        return [decode(item) for item in value]
    if isinstance(value, dict) and value.keys() != {"re", "im"}:
        return {key: decode(item) for key, item in value.items()}
    return decode_number(value)


@functools.lru_cache(maxsize=1_000)
def _one_unknown(reason: str) -> Unknown:
    """The unknown value with this reason. A large report has the same ones in every row: they are one object."""
    return unknown(reason)


def _has_no_names(summary: dict[str, Any]) -> bool:
    """Whether the statistics of a summary are numbers in JSON as well."""
    statistics = (summary["norm"], summary.get("mean"), summary.get("min"), summary.get("max"))
    return not any(type(statistic) in (str, dict) for statistic in statistics)


def _float_name(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return "inf" if value > 0 else "-inf"
