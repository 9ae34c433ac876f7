"""Reads of a tensor's facts pass the function mode at once, and everything else is recorded as before."""

import sys
import warnings

import pytest
import torch

import inspector
from inspector.recording.forward import plain_reads
from inspector.recording.forward.plain_reads import is_plain_read
from inspector.torch_api.frames import OPTIMIZERS
from inspector.torch_api.tensors import getter


@pytest.mark.parametrize("name", plain_reads._ATTRIBUTES)
def test_an_attribute_of_an_ordinary_tensor_is_one_but_not_of_a_subclass(name):
    class Own(torch.Tensor):
        pass

    frame = sys._getframe()
    assert is_plain_read(getter(name), (torch.ones(2),), frame)
    assert is_plain_read(getter(name), (torch.nn.Parameter(torch.ones(2)),), frame)
    assert not is_plain_read(getter(name), (torch.ones(2).as_subclass(Own),), frame)


@pytest.mark.parametrize(
    "function", [torch.Tensor.sin, torch.Tensor.detach, torch.Tensor.numpy, torch.Tensor.T.__get__, len]
)
def test_an_operation_is_none(function):
    assert not is_plain_read(function, (torch.ones(2, 2),), sys._getframe())


def test_the_grad_of_a_leaf_is_one_only_in_an_optimizer():
    frames = []
    within = compile("frames.append(__import__('sys')._getframe())", OPTIMIZERS + "adam.py", "exec")
    exec(within, {"frames": frames})
    leaf = torch.ones(2, requires_grad=True)
    for access in (torch.Tensor.grad.__get__, torch.Tensor.grad.__set__):
        assert is_plain_read(access, (leaf,), frames[0])
        assert not is_plain_read(access, (leaf * 2,), frames[0])
        assert not is_plain_read(access, (leaf,), sys._getframe())


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
