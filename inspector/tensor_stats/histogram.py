"""The histogram of a tensor by powers of two, from a sample of its elements.

Counting all elements would take longer than all other statistics together (torch.histc: 15 microseconds for 4,096
elements, 3 milliseconds for a million). Magnitudes differ by powers of ten, for which a few hundred elements are
enough.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy
import torch

from inspector.tensor_stats.statistics import reducible
from inspector.torch_api.modes import unobserved

SAMPLE = 256
"""Approximate number of elements in a sample. Tensors with less than twice as many elements are used
completely."""


def sample(elements: torch.Tensor) -> torch.Tensor:
    """A copy of evenly spaced elements of a strided tensor.

    The step is coprime to the number of elements, so that the sample is not a single column.
    """
    step = sample_step(elements.numel())
    if elements.is_contiguous():
        return elements.as_strided((-(-elements.numel() // step),), (step,)).clone()
    shape, strides = tuple(elements.shape), elements.stride()
    reach = sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    return elements.as_strided((reach + 1,), (1,))[_places(shape, strides, step, elements.device)]


def histogram(elements: torch.Tensor) -> dict[str, Any]:
    """The histogram of a sample, in the format of `inspector.graph.values`."""
    with unobserved():
        numbers = reducible(elements).numpy()
    return _histogram(numpy.abs(numbers) if numbers.dtype.kind == "c" else numbers)


def _histogram(numbers: numpy.ndarray) -> dict[str, Any]:
    counted = numbers.size
    kept = numpy.isfinite(numbers) & (numbers != 0)
    if not kept.all():
        numbers = numbers[kept]
    if not numbers.size:
        return {"counted": counted, "exponent": None, "counts": []}
    exponents = numpy.frexp(numbers)[1]
    lowest = int(exponents.min())
    counts = numpy.bincount(exponents - lowest).tolist()
    return {"counted": counted, "exponent": lowest - 1, "counts": counts}  # numpy's mantissas are from 1/2 to 1


def histograms(samples: torch.Tensor) -> list[dict[str, Any]]:
    """The histograms of samples of the same size, the rows of a matrix of float32 or float64: one by one they take
    a third of the time that the rows of a graph take."""
    with unobserved():
        numbers = samples.to(torch.float64).numpy()
    is_whole = (numpy.isfinite(numbers) & (numbers != 0)).all(1)
    if is_whole.all():
        return _of_whole_rows(numbers)
    whole = iter(_of_whole_rows(numbers[is_whole]) if is_whole.any() else ())
    return [next(whole) if easy else _histogram(row) for row, easy in zip(numbers, is_whole.tolist(), strict=True)]


def _of_whole_rows(numbers: numpy.ndarray) -> list[dict[str, Any]]:
    """The histograms of rows in which every number is counted."""
    exponents = numpy.frexp(numbers)[1]
    lowest = exponents.min(1, keepdims=True)
    highest = (exponents.max(1) - lowest[:, 0]).tolist()
    width = max(highest) + 1
    rows = numpy.arange(len(numbers))[:, None] * width
    counts = numpy.bincount((exponents - lowest + rows).ravel(), minlength=len(numbers) * width)
    found = zip(lowest[:, 0].tolist(), highest, counts.reshape(-1, width).tolist(), strict=True)
    counted = numbers.shape[1]
    return [
        {"counted": counted, "exponent": least - 1, "counts": row[: most + 1]} for least, most, row in found
    ]


@functools.lru_cache(maxsize=4096)
def sample_step(count: int) -> int:
    """The distance between sampled elements."""
    step = max(1, count // SAMPLE)
    while math.gcd(step, count) != 1:
        step += 1
    return step


@functools.lru_cache(maxsize=256)
def _places(shape: tuple[int, ...], strides: tuple[int, ...], step: int, device: torch.device) -> torch.Tensor:
    """The storage offsets of the sampled elements, from the first element."""
    positions = torch.arange(0, math.prod(shape), step, device=device)
    coordinates = torch.unravel_index(positions, shape)
    return torch.stack([index * stride for index, stride in zip(coordinates, strides, strict=True)]).sum(0)
