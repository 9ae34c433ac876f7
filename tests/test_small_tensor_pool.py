"""Tensors that are measured together have the numbers that each has alone."""

from __future__ import annotations

import math

import pytest
import torch

from inspector.tensor_stats import Batch
from inspector.tensor_stats.histogram import histogram
from inspector.tensor_stats.memory_extent import in_memory_order, largest_stride_first, memory_extent
from inspector.tensor_stats.precise_norm import precise_norm
from inspector.tensor_stats.small_tensor_pool import MOST_POOLED, SmallTensorPool, _sums_of_rows, fits
from inspector.tensor_stats.statistics import statistics

RANDOM = torch.Generator().manual_seed(0)

TENSORS = {
    "one": torch.randn(1, generator=RANDOM),
    "matrix": torch.randn(30, 40, generator=RANDOM),
    "transposed": torch.randn(30, 40, generator=RANDOM).t(),
    "part": torch.randn(8, 90, generator=RANDOM)[:, 10:50],
    "heads": torch.randn(2, 32, 3, 16, generator=RANDOM)[:, :, 1].transpose(0, 1),
    "expanded": torch.randn(5, 1, generator=RANDOM).expand(5, 7),
    "double": torch.randn(50, dtype=torch.float64, generator=RANDOM),
    "zeros": torch.zeros(40),
    "nan": torch.tensor([1.0, math.nan, 0.0] * 9),
    "infinite": torch.tensor([1.0, math.inf, -math.inf] * 9),
    "huge": torch.full((20,), 1e30),
    "tiny": torch.full((20,), 1e-30),
}


@pytest.mark.parametrize("count", [1, 3, 300])
def test_numbers_are_those_of_each_alone(count):
    pool = SmallTensorPool()
    measured = {(name, k): pool.add(tensor) for k in range(count) for name, tensor in TENSORS.items()}
    for (name, _), found in measured.items():
        tensor = TENSORS[name]
        alone = statistics(in_memory_order(tensor, memory_extent(tensor)))
        assert found.numbers == pytest.approx(alone, rel=1e-6, abs=1e-7, nan_ok=True), name  # means near zero
        assert found.sample is not None and len(found.sample) > 0


def test_a_copy_is_measured_not_what_became_of_the_tensor():
    tensor, pool = torch.ones(100), SmallTensorPool()
    before = pool.add(tensor)
    tensor.mul_(2)
    after = pool.add(tensor)
    pool.measure()
    assert (before.numbers[0], after.numbers[0]) == (10.0, 20.0)


def test_who_asks_early_disturbs_nobody():
    pool = SmallTensorPool()
    first = pool.add(torch.ones(100))
    assert first.numbers[0] == 10.0
    second = pool.add(torch.full((100,), 2.0))
    pool.measure()
    assert (first.numbers[0], second.numbers[0]) == (10.0, 20.0)


def test_views_have_the_same_numbers_bit_by_bit():
    batch = Batch()
    tensor = torch.randn(7, 11, 13)
    values = [batch.add(view).value for view in (tensor, tensor.permute(2, 0, 1), tensor.view(77, 13))]
    for value in values:
        del value["shape"]
    assert values[0] == values[1] == values[2]


def test_it_can_be_used_in_and_out_of_inference_mode():
    pool = SmallTensorPool()
    with torch.inference_mode():
        inside = pool.add(torch.ones(100))
    outside = pool.add(torch.ones(100))
    with torch.inference_mode():
        assert inside.numbers == outside.numbers


@pytest.mark.parametrize("special", [0.0, math.nan, math.inf])
def test_histograms_are_those_of_each_alone_beside_numbers_that_are_in_no_bucket(special):
    torch.manual_seed(0)
    tensors = [torch.randn(40) * 10 ** (k % 4) for k in range(12)]  # the first few are counted one by one
    for k in (1, 9):
        tensors[k][3] = special
        tensors[k + 1][:] = special
    pool = SmallTensorPool()
    measured = [pool.add(tensor) for tensor in tensors]
    for tensor, found in zip(tensors, measured, strict=True):
        assert found.histogram == histogram(tensor)


def test_what_fits():
    assert fits(torch.ones(100)) and fits(torch.ones(MOST_POOLED, dtype=torch.float64))
    assert not fits(torch.ones(MOST_POOLED + 1)) and not fits(torch.ones(100, dtype=torch.bfloat16))
    assert not fits(torch.ones(100, device="meta"))


@pytest.mark.parametrize("level", ["full", "light"])
def test_the_imaginary_part_of_a_conjugate_is_the_negative_of_the_memory_that_it_shares(level):
    elements = torch.complex(torch.rand(100), torch.rand(100) + 1)
    part, negative = elements.imag, elements.conj().imag
    assert negative.is_neg() and torch.equal(part, -negative)
    batch = Batch(level)
    values = [batch.add(tensor, counted=True) for tensor in (part, negative)]
    batch.read()
    first, second = (value.value for value in values)
    assert first["norm"] == pytest.approx(second["norm"])
    if level == "full":
        assert first["mean"] == pytest.approx(-second["mean"]) and second["max"] == pytest.approx(-first["min"])


def test_zeros_that_torch_does_not_store_are_measured():
    batch = Batch()
    value = batch.add(torch._efficientzerotensor(100), counted=True)
    batch.read()
    assert (value.value["norm"], value.value["zeros"]) == (0.0, 100)


@pytest.mark.parametrize("rows", [2, 8])
@pytest.mark.parametrize("bad", [1.0, 1e10, math.nan, math.inf])
def test_rows_are_asked_for_where_they_may_stand_out(rows, bad):
    torch.manual_seed(0)
    tensors = [torch.randn(rows, 30), torch.randn(rows, 30)]
    tensors[1][1, 3] = bad
    pool, norms = SmallTensorPool(), {}
    for key, tensor in enumerate(tensors):
        assert pool.add(tensor).request_row_norms((tensor.shape, None), norms, key)
    pool.measure()
    shows = not math.isfinite(bad) or (bad == 1e10 and rows >= 4)
    assert set(norms) == ({1} if shows else set())
    if shows:
        exact = tensors[1].double().norm(dim=1).tolist()
        assert norms[1].tolist() == pytest.approx(exact, nan_ok=True)


def test_a_tensor_without_memory_is_unknown():
    batch = Batch()
    value = batch.add(torch._to_functional_tensor(torch.ones(100)), counted=True)
    batch.read()
    assert "unknown" in value.value


@pytest.mark.parametrize("count", [10, 256, 257, 5000, 1 << 15, (1 << 15) + 256, 40_001, MOST_POOLED])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_norms_are_those_of_single_tensors(count, dtype):
    tensors = [torch.randn(count, dtype=dtype) * scale for scale in (1.0, 1e-3, 1e9)]
    pool = SmallTensorPool()
    measured = [pool.add(tensor) for tensor in tensors]
    for found, tensor in zip(measured, tensors, strict=True):
        assert found.numbers[0] == precise_norm(tensor)
        assert found.numbers[0] == pytest.approx(float(tensor.double().norm()), rel=1e-7)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.randn(5, 4, 3),
        torch.randn(4, 5, 3).transpose(0, 1),
        torch.randn(3, 5, 4).permute(1, 2, 0),
        torch.randn(2, 5, 4, 3).permute(1, 2, 0, 3),
        torch.randn(4, 5).t(),
        torch.randn(5, 1, 7).transpose(0, 1).transpose(0, 1),
        torch.randn(12),
    ],
    ids=lambda tensor: str(tuple(tensor.stride())),
)
def test_sums_of_rows_are_torchs(tensor):
    layout = tuple(tensor.shape), None if tensor.is_contiguous() else tensor.stride()
    flat = largest_stride_first(tensor).contiguous().view(1, -1)
    found = _sums_of_rows(torch.cat([flat, 2 * flat]), layout)
    expected = tensor.reshape(len(tensor), -1).sum(1)
    assert torch.allclose(found, torch.stack([expected, 2 * expected]), rtol=1e-5, atol=1e-6)
