"""Parse the name of a Node: the op of the forward, and a readable name.

An op is torch's name of an operator, without the underscores at its ends and without `_forward`:
`AddmmBackward0` is the Node of `addmm`, `SoftmaxBackward0` that of `_softmax`. If an overload of an operator has
different inputs, or computes something else, its op includes the overload: `add`, but `add.Scalar`.

Only this module parses the names of Nodes. All others use ops and their kinds (`node_kinds`), so a graph from
another source may name its functions by their ops: `mul`, `relu`.
"""

from __future__ import annotations

import functools
import re

_OF_TORCH = re.compile(r"(?P<words>[A-Z]\w*?)Backward(?:Autograd[A-Z]\w*?)?\d+(?P<copy>_copy)?")
"""The name of a Node that torch generated from an operator, possibly for nested tensors or for the copy of a view.
The Node of a custom Function, `ReluBackward`, has no number."""

_BETWEEN_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])")
_NUMBER = re.compile(r"(?P<class>Backward(?:Autograd[A-Z]\w*?)?)\d+$")
_ENDING = re.compile(r"Backward(?:Autograd[A-Z]\w*?\d+|\d*)$")

_SPELLINGS = {
    "Col2Im": "col2im",
    "Deg2Rad": "deg2rad",
    "GridSampler2D": "grid_sampler_2d",
    "GridSampler2DBackward": "grid_sampler_2d_backward",
    "GridSampler2DCpuFallback": "grid_sampler_2d_cpu_fallback",
    "GridSampler2DCpuFallbackBackward": "grid_sampler_2d_cpu_fallback_backward",
    "GridSampler3D": "grid_sampler_3d",
    "GridSampler3DBackward": "grid_sampler_3d_backward",
    "Im2Col": "im2col",
    "Rad2Deg": "rad2deg",
    "SpecialXlog1Py": "special_xlog1py",
}
"""Operators that do not follow the pattern of `MaxPool2DWithIndices`, in which a word begins after `2D`."""

_OVERLOADS = {
    "AddBackward1": "add.Scalar",
    "BernoulliBackward1": "bernoulli.Tensor",
    "ClampBackward0": "clamp.Tensor",
    "ClampMaxBackward1": "clamp_max.Tensor",
    "ClampMinBackward1": "clamp_min.Tensor",
    "CopysignBackward1": "copysign.Scalar",
    "DivBackward1": "div.Scalar",
    "DivBackward2": "div.Tensor_mode",
    "DivBackward3": "div.Scalar_mode",
    "EqBackward1": "eq.Tensor",
    "FillBackward1": "fill.Tensor",
    "FillBackward3": "fill.Tensor",
    "FmodBackward1": "fmod.Tensor",
    "ForeachPowBackward1": "foreach_pow.ScalarList",
    "ForeachPowBackward2": "foreach_pow.ScalarAndTensor",
    "GeBackward1": "ge.Tensor",
    "GtBackward1": "gt.Tensor",
    "IndexFillBackward1": "index_fill.int_Tensor",
    "LeBackward1": "le.Tensor",
    "LerpBackward1": "lerp.Tensor",
    "LtBackward1": "lt.Tensor",
    "MaskedFillBackward1": "masked_fill.Tensor",
    "MaxBackward0": "max.dim",
    "MeanBackward1": "mean.dim",
    "MedianBackward1": "median.dim",
    "MinBackward0": "min.dim",
    "MulBackward1": "mul.Scalar",
    "NanmedianBackward1": "nanmedian.dim",
    "NeBackward1": "ne.Tensor",
    "NormalBackward1": "normal.Tensor_float",
    "NormalBackward2": "normal.float_Tensor",
    "NormalBackward3": "normal.Tensor_Tensor",
    "PowBackward0": "pow.Tensor_Scalar",
    "PowBackward1": "pow.Tensor_Tensor",
    "PowBackward2": "pow.Scalar",
    "ProdBackward1": "prod.dim_int",
    "RemainderBackward1": "remainder.Tensor",
    "RsubBackward1": "rsub.Scalar",
    "ScatterBackward1": "scatter.value",
    "SpecialXlog1PyBackward1": "special_xlog1py.self_scalar",
    "SpecialXlog1PyBackward2": "special_xlog1py.other_scalar",
    "SpecialZetaBackward1": "special_zeta.self_scalar",
    "SpecialZetaBackward2": "special_zeta.other_scalar",
    "SubBackward1": "sub.Scalar",
    "SumBackward1": "sum.dim_IntList",
    "SumBackwardAutogradNestedTensor1": "sum.dim_IntList",
    "XlogyBackward1": "xlogy.Scalar_Self",
    "XlogyBackward2": "xlogy.Scalar_Other",
}
"""Ops that include an overload, by Node name. The number in the name is the position of the overload in torch's
derivatives.yaml. The op of the most common overload does not include it."""


@functools.cache
def op_of(name: str) -> str:
    """`addmm` for `AddmmBackward0`. AccumulateGrad, custom Functions and ops keep their names."""
    if name in _OVERLOADS:
        return _OVERLOADS[name]
    found = _OF_TORCH.fullmatch(name)
    if found is None:
        return name
    words = found["words"]
    return (_SPELLINGS.get(words) or _BETWEEN_WORDS.sub("_", words).lower()) + (found["copy"] or "")


@functools.cache
def without_number(name: str) -> str:
    """`PowBackward` for `PowBackward0`: torch's number distinguishes overloads, not what the function does."""
    return _NUMBER.sub(r"\g<class>", name)


@functools.cache
def without_backward(name: str) -> str:
    """`Pow` for `PowBackward0`, `MyFunction` for `MyFunctionBackward`: the operation of the forward."""
    return _ENDING.sub("", name) or name


def name_of_custom(function: str) -> str:
    """The name of the Node of a custom Function: `MyFunctionBackward`."""
    return f"{function}Backward"
