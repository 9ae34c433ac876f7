"""The table of Node kinds: the names of ops are torch's, and each kind is what torch does, for real Nodes."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import yaml
from torch import Tensor

import inspector
from inspector.derivatives import add_local_derivatives
from inspector.derivatives.elementary import ELEMENTARY, REDUCTIONS
from inspector.derivatives.linear_ops import STRUCTURAL, STRUCTURAL_INPUTS
from inspector.diagnosis.analysis import node_ops, upstream_node, zero_origin
from inspector.diagnosis.rules import (
    accidental_broadcast,
    non_finite_forward,
    non_finite_gradient,
    silent_overwrite,
)
from inspector.graph import Graph, from_rows, to_rows
from inspector.graph.node_kinds import KINDS, NodeKind, has_one_output, is_kind
from inspector.graph.node_names import name_of_custom, op_of, without_backward, without_number
from inspector.styles import operations
from inspector.torch_api import formulas

PACKAGE = Path(inspector.__file__).parent
NAMES = [name for name in vars(torch._C._functions) if re.search(r"Backward\w*\d", name)]
"""All Nodes of torch that are generated from an operator."""


# ---- names --------------------------------------------------------------------------------------------------


def definitions() -> Iterator[tuple[str, dict[str, Any], tuple[str, ...]]]:
    """(name of the Node, entry, differentiable inputs) for all of torch's derivatives.yaml."""
    numbers: dict[str, int] = defaultdict(int)
    for entry in yaml.load(formulas._path().read_text(), Loader=yaml.CSafeLoader):
        for key, found in formulas._by_dispatch_key(entry):
            inputs = formulas._backward_only(entry["name"], found)
            if inputs:
                prefix = formulas._class_prefix(entry["name"]) + key
                yield f"{prefix}{numbers[prefix]}", entry, tuple(inputs)
                numbers[prefix] += 1


def test_an_op_is_torchs_name_of_the_operator() -> None:
    checked = 0
    for name, entry, _ in definitions():
        operator, _, overload = entry["name"].partition("(")[0].partition(".")
        operator = operator.strip("_").removesuffix("_forward")
        assert op_of(name) in (operator, f"{operator}.{overload}"), name
        assert name in vars(torch._C._functions)
        checked += 1
    assert checked > 600


def test_overloads_with_one_op_have_the_same_inputs() -> None:
    inputs = defaultdict(set)
    for name, _, of_name in definitions():
        inputs[op_of(name)].add(of_name)
    assert {op: found for op, found in inputs.items() if len(found) > 1} == {}


def test_the_op_of_a_copy_of_a_view_is_that_of_the_copy() -> None:
    x = torch.randn(3, 4, requires_grad=True)
    node = torch.view_copy(x, (12,)).grad_fn
    assert node is not None and op_of(node.name()) == "view_copy"
    assert is_kind(node.name(), NodeKind.RESHAPES) and not is_kind(node.name(), NodeKind.VIEW)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors is in prototype stage")
def test_the_op_of_a_nested_tensors_node_is_that_of_any_other() -> None:
    x = torch.nested.nested_tensor([torch.randn(2, 3), torch.randn(4, 3)], requires_grad=True)
    names = [node.name() for output in x.unbind() if (node := output.grad_fn) is not None]
    assert names and {op_of(name) for name in names} == {"unbind"}
    assert without_number("ViewBackwardAutogradNestedTensor0") == "ViewBackwardAutogradNestedTensor"
    assert without_backward("ViewBackwardAutogradNestedTensor0") == "View"


class Relu(torch.autograd.Function):
    """A custom Function that is called like one of torch's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return 2 * gradient


def test_a_custom_function_has_no_kind_whatever_its_name() -> None:
    node = Relu.apply(torch.ones((), requires_grad=True)).grad_fn  # type: ignore[no-untyped-call]
    assert node.name() == name_of_custom("Relu") == op_of(node.name())
    assert not is_kind(node.name(), *NodeKind)
    assert not has_one_output(node.name())
    assert is_kind("ReluBackward0", NodeKind.RECTIFIES)


def test_the_node_of_a_leaf_has_no_kind() -> None:
    leaf = torch.ones((), requires_grad=True)
    node = leaf.exp().grad_fn
    assert node is not None
    accumulate = node.next_functions[0][0].name().rpartition("::")[2]  # type: ignore[union-attr]
    assert op_of(accumulate) == accumulate
    assert not is_kind(accumulate, *NodeKind) and not has_one_output(accumulate)


def test_names_lose_torchs_number() -> None:
    assert without_number("PowBackward0") == "PowBackward"
    assert without_number("AccumulateGrad") == "AccumulateGrad"
    assert without_number("123") == "123"
    assert without_backward("PowBackward0") == "Pow"
    assert without_backward("BackwardHookFunctionBackward") == "BackwardHookFunction"
    assert without_backward("AccumulateGrad") == "AccumulateGrad"


@pytest.mark.parametrize("op", sorted(KINDS))
def test_an_op_is_its_own_op(op: str) -> None:
    assert op_of(op) == op


def test_all_ops_of_the_tables_are_torchs() -> None:
    known = {op_of(name) for name in NAMES}
    tables: dict[str, Any] = {
        "kinds": KINDS,
        "elementary": ELEMENTARY,
        "reductions": REDUCTIONS,
        "linear": STRUCTURAL,
        "inputs": STRUCTURAL_INPUTS,
        "added slot": node_ops._ADDED_SLOT,
        "zero at zero": zero_origin._ZERO_AT_ZERO,
        "guards": upstream_node.GUARDS,
        "on the way": accidental_broadcast._ON_THE_WAY,
        "advice": non_finite_forward._ADVICE,
        "why": non_finite_gradient._WHY,
        "layers": silent_overwrite._LAYERS,
        "of tensors": operations._OF_TENSORS,
        "of one": operations._OF_ONE,
        "with a constant": operations._WITH_CONSTANT,
    }
    assert {name: set(table) - known for name, table in tables.items() if set(table) - known} == {}


# ---- kinds --------------------------------------------------------------------------------------------------

X = torch.arange(1.0, 13.0, dtype=torch.float64).reshape(3, 4)
"""Twelve different elements."""

INDEX = torch.tensor([2, 0])
WIDE = INDEX.reshape(2, 1).expand(2, 4)
MASK = X > 5
_CASES: dict[str, Callable[[Tensor], Tensor]] = {
    # Functions of one input whose output consists of its elements
    "alias": torch.ops.aten.alias,
    "as_strided": lambda x: x.as_strided((2, 2), (1, 1)),
    "clone": Tensor.clone,
    "diagonal": Tensor.diagonal,
    "expand": lambda x: x.expand(2, 3, 4),
    "flip": lambda x: x.flip(0),
    "gather": lambda x: x.gather(0, WIDE),
    "index": lambda x: x[INDEX],
    "index_select": lambda x: x.index_select(0, INDEX),
    "lift_fresh": torch.ops.aten.lift_fresh,
    "masked_select": lambda x: x.masked_select(MASK),
    "permute": lambda x: x.permute(1, 0),
    "repeat": lambda x: x.repeat(2, 1),
    "reshape_alias": lambda x: torch.ops.aten._reshape_alias(x, (4, 3), (3, 1)),
    "roll": lambda x: x.roll(1),
    "rot90": lambda x: x.rot90(),
    "select": lambda x: x[1],
    "slice": lambda x: x[:, 1:],
    "split": lambda x: x.split(2)[0],
    "split_with_sizes": lambda x: x.split([1, 2])[0],
    "squeeze": lambda x: x.squeeze((0, 1)),
    "t": Tensor.t,
    "take": lambda x: x.take(INDEX),
    "to_copy": lambda x: x.to(torch.float32),
    "transpose": lambda x: x.transpose(0, 1),
    "unbind": lambda x: x.unbind()[0],
    "unfold": lambda x: x.unfold(1, 2, 3),
    "unsafe_split": lambda x: torch.unsafe_split(x, 2)[0],
    "unsafe_split_with_sizes": lambda x: torch.unsafe_split_with_sizes(x, [1, 2])[0],
    "unsafe_view": lambda x: torch.ops.aten._unsafe_view(x, (12,)),
    "unsqueeze": lambda x: x.unsqueeze(0),
    "view": lambda x: x.view(12),
    "alias_copy": torch.alias_copy,
    "as_strided_copy": lambda x: torch.as_strided_copy(x, (2, 2), (1, 1)),
    "diagonal_copy": torch.diagonal_copy,
    "expand_copy": lambda x: torch.expand_copy(x, (2, 3, 4)),
    "permute_copy": lambda x: torch.permute_copy(x, (1, 0)),
    "select_copy": lambda x: torch.select_copy(x, 0, 1),
    "slice_copy": lambda x: torch.slice_copy(x, 1, 1),
    "split_copy": lambda x: torch.split_copy(x, 2)[0],
    "split_with_sizes_copy": lambda x: torch.split_with_sizes_copy(x, [1, 2])[0],
    "squeeze_copy": torch.squeeze_copy,
    "t_copy": torch.t_copy,
    "transpose_copy": lambda x: torch.transpose_copy(x, 0, 1),
    "unbind_copy": lambda x: torch.unbind_copy(x)[0],
    "unfold_copy": lambda x: torch.unfold_copy(x, 1, 2, 3),
    "unsqueeze_copy": lambda x: torch.unsqueeze_copy(x, 0),
    "view_copy": lambda x: torch.view_copy(x, (12,)),
    # Sums
    "add": lambda x: x + 1,
    "add.Scalar": lambda x: torch.ops.aten.add.Scalar(x, 1),
    "cat": lambda x: torch.cat([x, X]),
    "rsub": lambda x: torch.rsub(x, X),
    "rsub.Scalar": lambda x: 1 - x,
    "stack": lambda x: torch.stack([x, X]),
    "sub": lambda x: x - 1,
    "sub.Scalar": lambda x: torch.ops.aten.sub.Scalar(x, 1),
    # Choices by value, and writes to some elements
    "adaptive_max_pool2d": lambda x: F.adaptive_max_pool2d(x.view(1, 1, 3, 4), 2),
    "adaptive_max_pool3d": lambda x: F.adaptive_max_pool3d(x.view(1, 1, 1, 3, 4), (1, 2, 2)),
    "amax": lambda x: x.amax(0),
    "amin": lambda x: x.amin(0),
    "aminmax": lambda x: torch.aminmax(x)[0],
    "clamp": lambda x: x.clamp(3, 9),
    "clamp.Tensor": lambda x: x.clamp(X.new_tensor(3), X.new_tensor(9)),
    "clamp_max": lambda x: x.clamp_max(9),
    "clamp_max.Tensor": lambda x: x.clamp_max(X.new_tensor(9)),
    "clamp_min": lambda x: x.clamp_min(3),
    "clamp_min.Tensor": lambda x: x.clamp_min(X.new_tensor(3)),
    "fmax": lambda x: x.fmax(X.flip(0)),
    "fmin": lambda x: x.fmin(X.flip(0)),
    "index_copy": lambda x: x.index_copy(0, INDEX, -X[:2]),
    "index_fill": lambda x: x.index_fill(0, INDEX, -1),
    "index_fill.int_Tensor": lambda x: x.index_fill(0, INDEX, X.new_tensor(-1)),
    "index_put": lambda x: x.index_put((INDEX,), -X[:2]),
    "index_put_impl": lambda x: torch.ops.aten._index_put_impl(x, (INDEX,), -X[:2]),
    "kthvalue": lambda x: x.kthvalue(2).values,
    "masked_fill": lambda x: x.masked_fill(MASK, -1),
    "masked_fill.Tensor": lambda x: x.masked_fill(MASK, X.new_tensor(-1)),
    "masked_scatter": lambda x: x.masked_scatter(MASK, -X),
    "max": lambda x: x.max(),
    "max.dim": lambda x: x.max(0).values,
    "max_pool2d_with_indices": lambda x: F.max_pool2d(x.view(1, 1, 3, 4), 2),
    "max_pool3d_with_indices": lambda x: F.max_pool3d(x.view(1, 1, 1, 3, 4), (1, 2, 2)),
    "maximum": lambda x: x.maximum(X.flip(0)),
    "median": lambda x: x.median(),
    "median.dim": lambda x: x.median(0).values,
    "min": lambda x: x.min(),
    "min.dim": lambda x: x.min(0).values,
    "minimum": lambda x: x.minimum(X.flip(0)),
    "mode": lambda x: x.mode().values,
    "native_dropout": lambda x: torch.native_dropout(x, 0.5, True)[0],
    "scatter": lambda x: x.scatter(0, WIDE, -X),
    "scatter.value": lambda x: x.scatter(0, WIDE, -1),
    "select_scatter": lambda x: x.select_scatter(-X[0], 0, 1),
    "slice_scatter": lambda x: x.slice_scatter(-X[:1], 0, 1, 2),
    "topk": lambda x: x.topk(2).values,
    "tril": Tensor.tril,
    "triu": Tensor.triu,
    "where": lambda x: x.where(MASK, X.new_tensor(-1)),
    # Steps and samples
    "bernoulli": lambda x: torch.bernoulli(x / 12),
    "bernoulli.Tensor": lambda x: torch.empty(3, 4, dtype=x.dtype).bernoulli_(x / 12),
    "ceil": Tensor.ceil,
    "div.Scalar_mode": lambda x: torch.ops.aten.div.Scalar_mode(x, 5, rounding_mode="trunc"),
    "div.Tensor_mode": lambda x: torch.div(x, 5, rounding_mode="floor"),
    "floor": Tensor.floor,
    "normal.Tensor_Tensor": lambda x: torch.normal(x, X),
    "normal.Tensor_float": lambda x: torch.normal(x, 1.0),
    "normal.float_Tensor": lambda x: torch.normal(0.0, x),
    "poisson": torch.poisson,
    "round": lambda x: x.round(decimals=1),
    "sgn": Tensor.sgn,
    "sign": Tensor.sign,
    "trunc": Tensor.trunc,
    # Others
    "addmm": lambda x: torch.addmm(X[:, :3], x, X.t()),
    "avg_pool2d": lambda x: F.avg_pool2d(x.view(1, 1, 3, 4), 2),
    "bmm": lambda x: torch.bmm(x[None], X.t()[None]),
    "convolution": lambda x: F.conv1d(x[None], X[None, :, :1]),
    "cumsum": lambda x: x.cumsum(0),
    "div": lambda x: x / 2,
    "embedding": lambda x: F.embedding(INDEX, x),
    "log_softmax": lambda x: x.log_softmax(0),
    "mean": Tensor.mean,
    "mean.dim": lambda x: x.mean(0),
    "mm": lambda x: x @ X.t(),
    "mul": lambda x: 2 * x,
    "mul.Scalar": lambda x: torch.ops.aten.mul.Scalar(x, 2),
    "mv": lambda x: x @ X[0],
    "native_batch_norm": lambda x: F.batch_norm(x, None, None, training=True),
    "native_layer_norm": lambda x: F.layer_norm(x, (4,)),
    "neg": Tensor.neg,
    "nll_loss": lambda x: F.nll_loss(x, torch.tensor([0, 1, 2])),
    "pow.Tensor_Scalar": Tensor.square,
    "pow.Tensor_Tensor": lambda x: x**X,
    "pow.Scalar": lambda x: 2**x,
    "prod": Tensor.prod,
    "prod.dim_int": lambda x: x.prod(0),
    "sum": Tensor.sum,
    "sum.dim_IntList": lambda x: x.sum(0),
}
"""Functions of X by their ops."""


def made(op: str) -> tuple[Tensor, Tensor]:
    """(input, output) of a case, with the right Node."""
    x = X.clone().requires_grad_()
    output = _CASES[op](x)
    assert output.grad_fn is not None
    return x, output


def gradient(op: str) -> Tensor:
    """The gradient at the input if a positive one arrives."""
    torch.manual_seed(0)
    x, output = made(op)
    (found,) = torch.autograd.grad(output, x, torch.rand_like(output) + 0.5)
    return found


def values(tensor: Tensor) -> set[float]:
    return set(tensor.detach().double().flatten().tolist())


@pytest.mark.parametrize("op", _CASES)
def test_the_op_of_a_real_node(op: str) -> None:
    node = made(op)[1].grad_fn
    assert node is not None and op_of(node.name()) == op


@pytest.mark.parametrize("op", _CASES)
def test_a_view_shares_the_memory_of_its_input(op: str) -> None:
    x, output = made(op)
    shared = x.untyped_storage().data_ptr() == output.untyped_storage().data_ptr()
    assert shared == is_kind(op, NodeKind.VIEW)


MOVES = [op for op in _CASES if is_kind(op, NodeKind.SELECTS)]


@pytest.mark.parametrize("op", MOVES)
def test_what_is_selected_are_elements_of_the_input(op: str) -> None:
    x, output = made(op)
    assert values(output) <= values(x)
    assert (values(output) == values(x)) == is_kind(op, NodeKind.COVERS)
    once = sorted(output.flatten().tolist()) == sorted(x.flatten().tolist()) and output.dtype == x.dtype
    assert once == is_kind(op, NodeKind.REARRANGES)
    if is_kind(op, NodeKind.RESHAPES):
        assert torch.equal(output.flatten(), x.flatten())


def test_all_moves_of_the_table_were_tried() -> None:
    untried = {op for op, kinds in KINDS.items() if NodeKind.SELECTS in kinds} - set(MOVES)
    assert untried == {"lift_fresh_copy", "reshape_alias_copy"}  # which Python does not offer


@pytest.mark.parametrize("op", [op for op in _CASES if is_kind(op, NodeKind.PASSES)])
def test_a_gradient_that_is_passed_on_is_nowhere_zero(op: str) -> None:
    assert gradient(op).all()


@pytest.mark.parametrize("op", [op for op in _CASES if is_kind(op, NodeKind.CHOOSES, NodeKind.MASKS)])
def test_choices_and_masks_zero_some_gradients(op: str) -> None:
    found = gradient(op)
    assert 0 < int((found == 0).sum()) < found.numel()


@pytest.mark.parametrize("op", [op for op in _CASES if is_kind(op, NodeKind.CLAMPS)])
def test_a_clamp_passes_the_gradient_within_its_bounds(op: str) -> None:
    low = -torch.inf if "max" in op else 3.0
    high = torch.inf if "min" in op else 9.0
    assert torch.equal(gradient(op) != 0, (low <= X) & (high >= X))


@pytest.mark.parametrize("op", _CASES)
def test_what_fills_has_elements_from_elsewhere_among_its_own(op: str) -> None:
    if is_kind(op, NodeKind.FILLS):
        x, output = made(op)
        assert output.shape == x.shape
        assert values(output) & values(x) and values(output) - values(x)


@pytest.mark.parametrize("op", [op for op in _CASES if is_kind(op, NodeKind.ADDS)])
def test_sums_are_linear_with_slopes_of_one(op: str) -> None:
    x, output = made(op)
    (found,) = torch.autograd.grad(output.sum(), x)
    assert torch.equal(found.abs(), torch.ones_like(X))


@pytest.mark.parametrize("op", [op for op, kinds in KINDS.items() if NodeKind.ROUNDS in kinds])
def test_steps_have_no_slope(op: str) -> None:
    assert not gradient(op).any()


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "celu": F.celu,
    "elu": F.selu,
    "gelu": F.gelu,
    "glu": lambda x: F.glu(torch.stack([torch.ones_like(x), x]), 0),
    "hardshrink": F.hardshrink,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "hardtanh": F.relu6,
    "leaky_relu": lambda x: F.leaky_relu(x.clone(), inplace=True),
    "mish": F.mish,
    "prelu_kernel": lambda x: F.prelu(x, torch.tensor(0.25, dtype=x.dtype)),
    "relu": F.relu,
    "rrelu_with_noise": lambda x: F.rrelu(x, training=True),
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "softmax": lambda x: torch.stack([x, torch.zeros_like(x)]).softmax(0),
    "softplus": F.softplus,
    "softshrink": F.softshrink,
    "tanh": torch.tanh,
    "threshold": lambda x: F.threshold(x.clone(), 0, 0, inplace=True),
}


@pytest.mark.parametrize(
    "op", [op for op, kinds in KINDS.items() if kinds & (NodeKind.RECTIFIES | NodeKind.SQUASHES)]
)
def test_an_activation_is_flat_where_its_kind_says(op: str) -> None:
    x = torch.linspace(-20, 20, 4001, dtype=torch.float64).requires_grad_()
    output = ACTIVATIONS[op](x)
    assert output.grad_fn is not None and op_of(output.grad_fn.name()) == op
    (slopes,) = torch.autograd.grad(output[0].sum() if output.dim() > 1 else output.sum(), x)
    slopes = slopes.abs()
    assert slopes.min() < slopes.max() / 3
    flat = slopes < 1e-6
    assert bool(flat[0] and flat[-1]) or not is_kind(op, NodeKind.SQUASHES)


DISTANCES: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": lambda x: x.abs().sum(),
    "dist": lambda x: x.dist(torch.zeros_like(x)),
    "huber_loss": lambda x: F.huber_loss(x, torch.zeros_like(x)),
    "linalg_vector_norm": lambda x: x.norm(),
    "mse_loss": lambda x: F.mse_loss(x, torch.zeros_like(x)),
    "norm": lambda x: torch.ops.aten.norm.Scalar(x),
    "pow.Tensor_Scalar": lambda x: x.pow(2).sum(),
    "smooth_l1_loss": lambda x: F.smooth_l1_loss(x, torch.zeros_like(x)),
}


@pytest.mark.parametrize("op", [op for op, kinds in KINDS.items() if NodeKind.DISTANCE in kinds])
def test_a_distance_has_no_slope_at_its_minimum(op: str) -> None:
    for at, is_flat in ((0.0, True), (0.5, False)):
        x = torch.full((3,), at, requires_grad=True)
        output = DISTANCES[op](x)
        nodes = [output.grad_fn, *(below for below, _ in output.grad_fn.next_functions)]  # type: ignore[union-attr]
        assert op in [op_of(node.name()) for node in nodes if node is not None]
        (found,) = torch.autograd.grad(output, x)
        assert bool((found == 0).all()) == is_flat


INF = torch.inf
SINGULAR: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "acos": (torch.acos, 2),
    "acosh": (torch.acosh, 0),
    "asin": (torch.asin, 2),
    "atanh": (torch.atanh, 1),
    "bmm": (lambda x: torch.bmm(x.expand(1, 2, 2), x.expand(1, 2, 2)), 1e30),
    "cosh": (torch.cosh, 1000),
    "cumprod": (lambda x: x.expand(2).cumprod(0), 1e30),
    "div": (lambda x: 1 / x.new_ones(()) / x, 0),
    "div.Scalar": (lambda x: torch.ops.aten.div.Scalar(x, 1e-30), 1e30),
    "exp": (torch.exp, 1000),
    "exp2": (torch.exp2, 1000),
    "expm1": (torch.expm1, 1000),
    "linalg_inv_ex": (lambda x: torch.linalg.inv_ex(x.reshape(1, 1))[0], 0),
    "log": (torch.log, 0),
    "log10": (torch.log10, 0),
    "log1p": (torch.log1p, -1),
    "log2": (torch.log2, 0),
    "logit": (torch.logit, 1),
    "pow.Scalar": (lambda x: 2**x, 1000),
    "pow.Tensor_Scalar": (lambda x: x**-1.5, 0),
    "pow.Tensor_Tensor": (lambda x: x**x, 1000),
    "prod": (lambda x: x.expand(2).prod(), 1e30),
    "prod.dim_int": (lambda x: x.expand(2).prod(0), 1e30),
    "reciprocal": (torch.reciprocal, 0),
    "rsqrt": (torch.rsqrt, 0),
    "sinh": (torch.sinh, 1000),
    "softmax": (lambda x: x.expand(2).softmax(0), -INF),
    "sqrt": (torch.sqrt, -1),
    "std": (lambda x: x.expand(1).std(), 1),
    "var": (lambda x: x.expand(1).var(), 1),
    "xlogy": (lambda x: torch.xlogy(torch.ones_like(x), x), 0),
    "xlogy.Scalar_Other": (lambda x: torch.xlogy(x, 0), 1),
    "xlogy.Scalar_Self": (lambda x: torch.xlogy(1, x), 0),
}


@pytest.mark.parametrize("op", [op for op, kinds in KINDS.items() if NodeKind.SINGULAR in kinds])
@pytest.mark.filterwarnings("ignore:.*degrees of freedom is <= 0")
def test_what_is_singular_makes_nan_or_infinity(op: str) -> None:
    function, at = SINGULAR[op]
    output = function(torch.tensor(float(at), requires_grad=True))
    assert output.grad_fn is not None and op_of(output.grad_fn.name()) == op
    assert not output.isfinite().all()


def has_one_in_torch(entry: dict[str, Any]) -> bool:
    """Whether an entry of derivatives.yaml has one differentiable output, as torchgen decides it."""
    returned = entry["name"].rpartition("->")[2].strip().strip("()").split(", ")
    names = [output.split()[-1] for output in returned]
    if "output_differentiability" in entry:
        wanted = entry["output_differentiability"]
        returned = [kind for kind, is_wanted in zip(returned, wanted, strict=True) if is_wanted]
    elif not any(f"grad_{name}" in str(entry) for name in names) and "grads[" not in str(entry):
        returned = returned[:1]
    return len(returned) == 1 and "[]" not in returned[0]


def test_the_numbers_of_outputs_are_those_of_torchs_definitions() -> None:
    found = {op_of(name): (has_one_in_torch(entry), has_one_output(name)) for name, entry, _ in definitions()}
    known = {op: numbers for op, numbers in found.items() if op in KINDS}
    assert {op: numbers for op, numbers in known.items() if numbers[0] != numbers[1]} == {}
    copies = {f"{op}_copy" for op in known if op in KINDS and NodeKind.VIEW in KINDS[op]}
    assert KINDS.keys() - known <= copies


@pytest.mark.parametrize("op", _CASES)
def test_a_node_with_one_output_has_one(op: str) -> None:
    node: Any = made(op)[1].grad_fn
    assert has_one_output(node.name()) == (len(node._input_metadata) == 1)


def test_some_kinds_are_part_of_others() -> None:
    parts = {
        NodeKind.COVERS: NodeKind.SELECTS,
        NodeKind.REARRANGES: NodeKind.COVERS,
        NodeKind.RESHAPES: NodeKind.REARRANGES,
        NodeKind.ADDS: NodeKind.PASSES,
        NodeKind.CLAMPS: NodeKind.MASKS,
    }
    for op, kinds in KINDS.items():
        for kind, whole in parts.items():
            assert kind not in kinds or whole in kinds, op


# ---- who asks -----------------------------------------------------------------------------------------------

_NAME = re.compile(r"Backward(?![A-Za-z ])")
"""The end of a Node's name, also in a pattern."""

_BEGINNINGS = {name.partition("Backward")[0] for name in NAMES} - {"Abs", "Max", "Min", "Mode", "T"}
"""What the name of a Node may begin with, without the names that sympy and others use too."""


_ALSO_CUSTOM = ("Gather", "Scatter", "Eq")
"""Names of custom Functions of torch (`torch.nn.parallel`) and of sympy, too."""


def literals(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of the strings of a module, docstrings left out."""
    tree = ast.parse(path.read_text("utf-8"))
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
            yield node.lineno, node.value


def test_no_other_module_knows_the_names_of_nodes() -> None:
    own = {PACKAGE / "graph" / "node_names.py"}
    found = [
        f"{path.relative_to(PACKAGE)}:{line} {text!r}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path not in own and path.relative_to(PACKAGE).parts[0] not in ("torch_api", "tracing")
        for line, text in literals(path)
        if _NAME.search(text) or text in _BEGINNINGS or text == "AccumulateGrad"
        if text not in _ALSO_CUSTOM
    ]
    assert found == []


def renamed(graph: Graph) -> Graph:
    """The graph as another front end might make it: its functions are named by their ops."""
    rows = to_rows(graph)
    for row in rows["nodes"]:
        if row["kind"] == "function":
            row["name"] = op_of(row["name"])
    for row in rows["edges"]:
        row.pop("local", None)
    return from_rows(rows)


def test_a_graph_whose_functions_are_named_by_ops_is_understood() -> None:
    w, x = (torch.tensor(value, requires_grad=True) for value in (2.0, 3.0))
    with inspector.record() as recording:
        y = torch.stack([w * x**2, (1 - w).view(1)[0]]).unsqueeze(0)
        (y.sigmoid().t().sum()).backward()
    graph = recording.calls[0].graph
    other = renamed(graph)
    add_local_derivatives(other)
    locals_ = [[edge.get("local") for _, _, edge in item.edges("next")] for item in (graph, other)]
    assert locals_[0] == locals_[1] and any(locals_[0])
    symbols = [
        [operations.operation(item, key).formula for key, row in item.functions() if not row["is_leaf"]]
        for item in (graph, other)
    ]
    assert symbols[0][0] == symbols[1][0] == "Σ {0}"
