"""What is measured on a device, without asking it: tried on the processor, against what is measured there."""

from __future__ import annotations

import math

import pytest
import torch
from test_small_tensor_pool import TENSORS as DENSE

from inspector.recording.training.grad_provenance import are_all_zero
from inspector.tensor_stats import on_device
from inspector.tensor_stats.histogram import sample, sample_step
from inspector.tensor_stats.statistics import NAMES, statistics

TENSORS = DENSE | {
    "float16": torch.randn(50).half(),
    "bfloat16": torch.randn(50).bfloat16(),
    "int64": torch.arange(-5, 20),
    "bool": torch.tensor([True, False] * 10),
    "complex": torch.randn(20, dtype=torch.complex64),
}


@pytest.mark.parametrize("implied", [0, 7])
@pytest.mark.parametrize("chunk", [64, 1 << 26])
@pytest.mark.parametrize("name", TENSORS)
def test_numbers_are_those_of_the_processor(name, chunk, implied, monkeypatch):
    monkeypatch.setattr(on_device, "CHUNK_BYTES", chunk)
    tensor = TENSORS[name]
    found = on_device.summary_on_device(tensor, implied).tolist()
    expected = list(statistics(tensor, implied))  # a mean is rounded to the digits of float32
    assert found[: len(NAMES)] == pytest.approx(expected, rel=1e-5, abs=3e-7, nan_ok=True)
    taken = sample(tensor).abs() if tensor.is_complex() else sample(tensor)
    assert found[len(NAMES) :] == pytest.approx(taken.to(torch.float64).tolist(), nan_ok=True)
    assert on_device.norm_on_device(tensor).item() == pytest.approx(found[0], nan_ok=True)


def test_a_tensor_without_elements_and_one_without_dimensions():
    assert on_device.summary_on_device(torch.empty(0), 12).tolist() == [0, 0, 0, 0, 12, 0, 0]
    assert on_device.norm_on_device(torch.tensor(-3.0)).item() == 3.0


@pytest.mark.parametrize("shape, order", [((10, 100), (1, 0)), ((7, 11, 13), (1, 2, 0)), ((100, 10), (1, 0))])
def test_a_sample_of_a_permuted_tensor_is_of_its_elements(shape, order):
    """The last of its elements need not lie last."""
    tensor = torch.arange(math.prod(shape)).reshape(shape).permute(order)
    assert sample(tensor).tolist() == tensor.reshape(-1)[:: sample_step(tensor.numel())].tolist()


def test_whether_grads_are_empty():
    nothing, something = torch.zeros(3), torch.tensor([0.0, 1.0])
    assert are_all_zero([]) and are_all_zero([nothing, nothing])
    assert are_all_zero([something]) is False and are_all_zero([nothing, nothing, something]) is False
    assert are_all_zero([nothing, torch.empty(3, device="meta")]) is None
