"""Torch's own derivative formulas, by the name of the backward function."""

import pytest
import torch

from inspector.torch_api.formulas import FORMULAS, _parsed, _path, formula

NOT_IN_DERIVATIVES_YAML = {
    "AccumulateGrad",
    "CopyBackwards",
    "CopySlices",
    "DelayedError",
    "Error",
    "NotImplemented",
    "SendRpcBackward",
    "UndefinedGrad",
    "UndefinedGradBackward",
}


def classes():
    """The backward functions that torch's C++ knows."""
    return {name for name in dir(torch._C._functions) if isinstance(getattr(torch._C._functions, name), type)}


def test_every_generated_class_has_a_formula():
    assert {name for name in classes() if not formula(name)} == NOT_IN_DERIVATIVES_YAML
    assert len(classes()) > 600


def test_every_formula_belongs_to_a_class():
    assert _parsed(_path().read_text()).keys() <= classes() | {f"{name}_copy" for name in classes()}


def test_entries_that_are_read_one_by_one_are_those_of_the_whole_file():
    whole = _parsed(_path().read_text())
    assert len(whole) > 500
    assert {name: FORMULAS.parts.get(name) for name in whole} == whole


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("PowBackward0", {"self": "pow_backward(grad, self, exponent)"}),
        ("SinBackward0", {"self": "grad * self.cos().conj()"}),
        ("ExpBackward0", {"self": "grad * result.conj()"}),
        ("AccumulateGrad", {}),
        ("CopySlices", {}),
        ("MyFunctionBackward", {}),
    ],
)
def test_formula(name, expected):
    assert formula(name) == expected


X = torch.rand(3, 3, requires_grad=True)
V = torch.rand(3, requires_grad=True)


@pytest.mark.parametrize(
    ("result", "inputs"),
    [
        (X * X, {"self", "other"}),
        (X**2, {"self"}),
        (X**X, {"self", "exponent"}),
        (2**X, {"exponent"}),
        (X @ X, {"self", "mat2"}),
        (torch.addmm(X, X, X), {"self", "mat1", "mat2"}),
        (X.sum(), {"self"}),
        (X.sum(0), {"self"}),
        (torch.where(X > 0.5, X, X * 2), {"self", "other"}),
        (torch.cat([V, V]), {"tensors"}),
        (X.max(dim=0).values, {"self"}),
        (X.relu(), {"self"}),
        (X.softmax(0), {"self"}),
        (torch.nn.functional.layer_norm(X, (3,), V, V), {"input", "weight", "bias"}),
        (torch.nn.functional.embedding(torch.tensor([1]), X), {"weight"}),
    ],
)
def test_the_number_in_a_class_name_means_the_right_overload(result, inputs):
    """`PowBackward1` is pow of two tensors, `SumBackward1` that over dimensions: the inputs tell them apart."""
    found = {name.strip() for names in formula(result.grad_fn.name()) for name in names.split(",")}
    assert found == inputs
    saved = {name.removeprefix("_saved_") for name in dir(type(result.grad_fn)) if name.startswith("_saved_")}
    text = " ".join(formula(result.grad_fn.name()).values())
    assert len(result.grad_fn.next_functions) >= len(inputs)
    assert all(name in text for name in saved & {"self", "other", "exponent", "result", "mat1", "mat2"})
