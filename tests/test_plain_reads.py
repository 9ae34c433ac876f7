"""Reads of a tensor's facts pass the function mode at once, and everything else is recorded as before."""

import warnings

import pytest
import torch

import inspector
from inspector.recording.forward import plain_reads
from inspector.recording.forward.operation_recorder import OperationRecorder
from inspector.recording.forward.plain_reads import GRADS
from inspector.torch_api.frames import OPTIMIZERS
from inspector.torch_api.tensors import getter


class Own(torch.Tensor):
    pass


@pytest.fixture
def recorded(monkeypatch):
    """The functions that are recorded as operations."""
    functions, before = [], OperationRecorder.before

    def noting(self, function, *others):
        functions.append(function)
        return before(self, function, *others)

    monkeypatch.setattr(OperationRecorder, "before", noting)
    return functions


@pytest.mark.parametrize("name", plain_reads._ATTRIBUTES)
def test_an_attribute_of_an_ordinary_tensor_is_one_but_not_of_a_subclass(name, recorded):
    x = torch.ones(2, requires_grad=True)
    with inspector.record():
        recorded.clear()
        getattr(torch.ones(2), name), getattr(torch.nn.Parameter(torch.ones(2)), name)
        assert getter(name) not in recorded
        getattr(torch.ones(2).as_subclass(Own), name)
        assert getter(name) in recorded
        x.sum().backward()


@pytest.mark.parametrize("name", ["sin", "detach", "numpy", "T"])
def test_an_operation_is_none(name, recorded):
    x, y = torch.ones(2, requires_grad=True), torch.ones(2, 2)
    with inspector.record():
        recorded.clear()
        found = getattr(y, name)
        assert name == "T" or (callable(found) and found() is not None)
        assert len(recorded) == 1
        x.sum().backward()


def test_the_grad_of_a_leaf_is_one_only_in_an_optimizer(recorded):
    x = torch.ones(2, requires_grad=True)
    within = compile("leaf.grad = leaf.grad", OPTIMIZERS + "adam.py", "exec")
    with inspector.record():
        recorded.clear()
        exec(within, {"leaf": x})
        assert not GRADS.intersection(recorded)
        x.grad = x.grad
        assert set(recorded) >= GRADS
        x.sum().backward()


def test_the_answers_errors_and_warnings_of_reads_are_torchs():
    x = torch.ones(2, 3, requires_grad=True)
    with inspector.record(watch=1):
        h = x * 2
        facts = (h.shape, h.dtype, h.dim(), h.size(1), h.stride(), h.requires_grad, h.is_contiguous(), h.numel())
        with pytest.raises(IndexError, match="Dimension out of range"):
            h.size(7)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert h.grad is None
        h.sum().backward()
    assert facts == ((2, 3), torch.float32, 2, 3, (3, 1), True, True, 6)
    assert [warning.filename for warning in caught] == [__file__]
