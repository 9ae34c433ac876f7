"""The table of what Nodes do: the kinds of each op. No torch needed.

An op that is not in the table has no kind, and nothing is known about its outputs.
"""

from __future__ import annotations

import functools
from enum import Flag, auto

from inspector.graph.node_names import op_of


class NodeKind(Flag):
    """What a function does to its input, or its backward to a gradient.

    RESHAPES implies REARRANGES, which implies COVERS, which implies SELECTS. ADDS implies PASSES, and CLAMPS
    implies MASKS.
    """

    VIEW = auto()
    """The output shares the memory of the input: torch's views, including the unsafe ones, which torch does not
    track."""
    SELECTS = auto()
    """The output consists of elements of the input, unchanged except for a cast: all or some of them, whatever
    their values, possibly in another shape."""
    COVERS = auto()
    """The output has every element of the input, some possibly several times."""
    REARRANGES = auto()
    """The output has every element of the input once, in the same dtype, possibly in another order."""
    RESHAPES = auto()
    """The output has the elements of the input in the same order, in another shape."""

    PASSES = auto()
    """The gradient is passed on or summed: it is zero only if it was, or if the terms of the sum cancel."""
    ADDS = auto()
    """The output is the sum or the difference of two inputs."""
    CHOOSES = auto()
    """The gradient goes to the chosen elements; all others get zeros, as intended."""
    MASKS = auto()
    """The gradient passes at some elements only, possibly at none."""
    CLAMPS = auto()
    """The gradient passes where the input is within bounds."""
    FILLS = auto()
    """Some elements of the output come from elsewhere: a constant such as -inf, or another input."""

    RECTIFIES = auto()
    """An activation that is flat, or nearly flat, on one side."""
    SQUASHES = auto()
    """An activation that is flat at both ends."""
    ROUNDS = auto()
    """The derivative is zero wherever it exists: step functions, and samples."""
    DISTANCE = auto()
    """The gradient is zero at the minimum: equal inputs, or an input of zero."""
    SINGULAR = auto()
    """The output can be NaN or infinite although the input is not."""

    SEVERAL_OUTPUTS = auto()
    """There are several differentiable outputs, or may be, depending on the arguments."""


_PLAIN = NodeKind(0)
_COVERS = NodeKind.COVERS | NodeKind.SELECTS
_REARRANGES = NodeKind.REARRANGES | _COVERS
_RESHAPES = NodeKind.RESHAPES | _REARRANGES
_ADDS = NodeKind.ADDS | NodeKind.PASSES
_CLAMPS = NodeKind.CLAMPS | NodeKind.MASKS

_VIEWS = {
    "alias": NodeKind.VIEW | _REARRANGES,
    "as_strided": NodeKind.VIEW | NodeKind.SELECTS | NodeKind.CHOOSES,
    "diagonal": NodeKind.VIEW | NodeKind.SELECTS | NodeKind.CHOOSES,
    "expand": NodeKind.VIEW | _COVERS | NodeKind.PASSES,
    "lift_fresh": NodeKind.VIEW | _REARRANGES,
    "permute": NodeKind.VIEW | _REARRANGES,
    "reshape_alias": NodeKind.VIEW | _RESHAPES,
    "select": NodeKind.VIEW | NodeKind.SELECTS | NodeKind.CHOOSES,
    "slice": NodeKind.VIEW | NodeKind.SELECTS | NodeKind.CHOOSES,
    "split": NodeKind.VIEW | NodeKind.SELECTS | NodeKind.CHOOSES | NodeKind.SEVERAL_OUTPUTS,
    "split_with_sizes": NodeKind.VIEW | NodeKind.SELECTS | NodeKind.CHOOSES | NodeKind.SEVERAL_OUTPUTS,
    "squeeze": NodeKind.VIEW | _RESHAPES,
    "t": NodeKind.VIEW | _REARRANGES,
    "transpose": NodeKind.VIEW | _REARRANGES,
    "unbind": NodeKind.VIEW | NodeKind.SELECTS | NodeKind.CHOOSES | NodeKind.SEVERAL_OUTPUTS,
    "unfold": NodeKind.VIEW | NodeKind.SELECTS | NodeKind.CHOOSES,
    "unsqueeze": NodeKind.VIEW | _RESHAPES,
    "view": NodeKind.VIEW | _RESHAPES,
    "view_as_complex": NodeKind.VIEW,
    "view_as_real": NodeKind.VIEW,
}
"""Views. For each of them, such as `view`, torch has a `view_copy`, which copies the elements to new memory."""

_UNSAFE_VIEWS = {
    "unsafe_split": NodeKind.VIEW | NodeKind.SELECTS | NodeKind.CHOOSES | NodeKind.SEVERAL_OUTPUTS,
    "unsafe_split_with_sizes": NodeKind.VIEW | NodeKind.SELECTS | NodeKind.CHOOSES | NodeKind.SEVERAL_OUTPUTS,
    "unsafe_view": NodeKind.VIEW | _RESHAPES,
}

_COPIES = {
    "clone": _REARRANGES,
    "flip": _REARRANGES,
    "gather": NodeKind.SELECTS | NodeKind.CHOOSES,
    "index": NodeKind.SELECTS | NodeKind.CHOOSES,
    "index_select": NodeKind.SELECTS | NodeKind.CHOOSES,
    "masked_select": NodeKind.SELECTS | NodeKind.CHOOSES,
    "repeat": _COVERS | NodeKind.PASSES,
    "roll": _REARRANGES,
    "rot90": _REARRANGES,
    "take": NodeKind.SELECTS | NodeKind.CHOOSES,
    "to_copy": _COVERS,
}

_SUMS = {
    "add": _ADDS,
    "add.Scalar": _ADDS,
    "cat": NodeKind.PASSES,
    "rsub": _ADDS,
    "rsub.Scalar": _ADDS,
    "stack": NodeKind.PASSES,
    "sub": _ADDS,
    "sub.Scalar": _ADDS,
}

_CHOICES = {
    "adaptive_max_pool2d": NodeKind.CHOOSES,
    "adaptive_max_pool3d": NodeKind.CHOOSES,
    "amax": NodeKind.CHOOSES,
    "amin": NodeKind.CHOOSES,
    "aminmax": NodeKind.CHOOSES | NodeKind.SEVERAL_OUTPUTS,
    "clamp": _CLAMPS,
    "clamp.Tensor": _CLAMPS,
    "clamp_max": _CLAMPS,
    "clamp_max.Tensor": _CLAMPS,
    "clamp_min": _CLAMPS,
    "clamp_min.Tensor": _CLAMPS,
    "fmax": NodeKind.CHOOSES,
    "fmin": NodeKind.CHOOSES,
    "index_add": NodeKind.CHOOSES,
    "index_copy": NodeKind.CHOOSES | NodeKind.FILLS,
    "index_fill": NodeKind.CHOOSES | NodeKind.FILLS,
    "index_fill.int_Tensor": NodeKind.CHOOSES | NodeKind.FILLS,
    "index_put": NodeKind.CHOOSES | NodeKind.FILLS,
    "index_put_impl": NodeKind.CHOOSES | NodeKind.FILLS,
    "index_reduce": NodeKind.CHOOSES,
    "kthvalue": NodeKind.CHOOSES,
    "masked_fill": NodeKind.MASKS | NodeKind.FILLS,
    "masked_fill.Tensor": NodeKind.MASKS | NodeKind.FILLS,
    "masked_scatter": NodeKind.MASKS | NodeKind.FILLS,
    "masked_scatter_backward": NodeKind.MASKS,
    "max": NodeKind.CHOOSES,
    "max.dim": NodeKind.CHOOSES,
    "max_pool2d": NodeKind.CHOOSES,
    "max_pool2d_backward": NodeKind.CHOOSES,
    "max_pool2d_with_indices": NodeKind.CHOOSES,
    "max_pool2d_with_indices_backward": NodeKind.CHOOSES,
    "max_pool3d_with_indices": NodeKind.CHOOSES,
    "max_pool3d_with_indices_backward": NodeKind.CHOOSES,
    "max_unpool2d": NodeKind.CHOOSES,
    "max_unpool3d": NodeKind.CHOOSES,
    "maximum": NodeKind.CHOOSES,
    "median": NodeKind.CHOOSES,
    "median.dim": NodeKind.CHOOSES,
    "min": NodeKind.CHOOSES,
    "min.dim": NodeKind.CHOOSES,
    "minimum": NodeKind.CHOOSES,
    "mode": NodeKind.CHOOSES,
    "native_dropout": NodeKind.MASKS,
    "scatter": NodeKind.CHOOSES | NodeKind.FILLS,
    "scatter.value": NodeKind.CHOOSES | NodeKind.FILLS,
    "scatter_add": NodeKind.CHOOSES,
    "select_backward": NodeKind.CHOOSES,
    "select_scatter": NodeKind.CHOOSES | NodeKind.FILLS,
    "slice_backward": NodeKind.CHOOSES,
    "slice_inverse": NodeKind.CHOOSES,
    "slice_scatter": NodeKind.CHOOSES | NodeKind.FILLS,
    "topk": NodeKind.CHOOSES,
    "tril": NodeKind.MASKS,
    "triu": NodeKind.MASKS,
    "where": NodeKind.MASKS | NodeKind.FILLS,
}

_ACTIVATIONS = {
    "celu": NodeKind.RECTIFIES,
    "elu": NodeKind.RECTIFIES,  # also selu
    "gelu": NodeKind.RECTIFIES,
    "glu": NodeKind.RECTIFIES,
    "hardshrink": NodeKind.RECTIFIES,
    "hardsigmoid": NodeKind.RECTIFIES,
    "hardswish": NodeKind.RECTIFIES,
    "hardtanh": NodeKind.RECTIFIES,  # also relu6
    "leaky_relu": NodeKind.RECTIFIES,
    "mish": NodeKind.RECTIFIES,
    "prelu_kernel": NodeKind.RECTIFIES,
    "relu": NodeKind.RECTIFIES,
    "rrelu_with_noise": NodeKind.RECTIFIES,
    "sigmoid": NodeKind.SQUASHES,
    "silu": NodeKind.RECTIFIES,
    "softmax": NodeKind.SQUASHES | NodeKind.SINGULAR,  # NaN for a row of infinities
    "softplus": NodeKind.RECTIFIES,
    "softshrink": NodeKind.RECTIFIES,
    "tanh": NodeKind.SQUASHES,
    "threshold": NodeKind.RECTIFIES,
}

_FUNCTIONS = {
    "abs": NodeKind.DISTANCE,
    "acos": NodeKind.SINGULAR,
    "acosh": NodeKind.SINGULAR,
    "asin": NodeKind.SINGULAR,
    "atanh": NodeKind.SINGULAR,
    "bernoulli": NodeKind.ROUNDS,
    "bernoulli.Tensor": NodeKind.ROUNDS,
    "bmm": NodeKind.SINGULAR,
    "ceil": NodeKind.ROUNDS,
    "cosh": NodeKind.SINGULAR,
    "cumprod": NodeKind.SINGULAR,
    "dist": NodeKind.DISTANCE,
    "div": NodeKind.SINGULAR,
    "div.Scalar": NodeKind.SINGULAR,
    "div.Scalar_mode": NodeKind.ROUNDS,
    "div.Tensor_mode": NodeKind.ROUNDS,
    "exp": NodeKind.SINGULAR,
    "exp2": NodeKind.SINGULAR,
    "expm1": NodeKind.SINGULAR,
    "floor": NodeKind.ROUNDS,
    "huber_loss": NodeKind.DISTANCE,
    "linalg_inv_ex": NodeKind.SINGULAR,
    "linalg_vector_norm": NodeKind.DISTANCE,
    "log": NodeKind.SINGULAR,
    "log10": NodeKind.SINGULAR,
    "log1p": NodeKind.SINGULAR,
    "log2": NodeKind.SINGULAR,
    "logit": NodeKind.SINGULAR,
    "mse_loss": NodeKind.DISTANCE,
    "norm": NodeKind.DISTANCE,
    "normal.Tensor_Tensor": NodeKind.ROUNDS,
    "normal.Tensor_float": NodeKind.ROUNDS,
    "normal.float_Tensor": NodeKind.ROUNDS,
    "poisson": NodeKind.ROUNDS,
    "pow.Scalar": NodeKind.SINGULAR,
    "pow.Tensor_Scalar": NodeKind.DISTANCE | NodeKind.SINGULAR,
    "pow.Tensor_Tensor": NodeKind.SINGULAR,
    "prod": NodeKind.SINGULAR,
    "prod.dim_int": NodeKind.SINGULAR,
    "reciprocal": NodeKind.SINGULAR,
    "round": NodeKind.ROUNDS,
    "rsqrt": NodeKind.SINGULAR,
    "sgn": NodeKind.ROUNDS,
    "sign": NodeKind.ROUNDS,
    "sinh": NodeKind.SINGULAR,
    "smooth_l1_loss": NodeKind.DISTANCE,
    "sqrt": NodeKind.SINGULAR,
    "std": NodeKind.SINGULAR,
    "trunc": NodeKind.ROUNDS,
    "var": NodeKind.SINGULAR,
    "xlogy": NodeKind.SINGULAR,
    "xlogy.Scalar_Other": NodeKind.SINGULAR,
    "xlogy.Scalar_Self": NodeKind.SINGULAR,
}

_FURTHER = {
    "adaptive_avg_pool2d": _PLAIN,
    "addbmm": _PLAIN,
    "addcdiv": _PLAIN,
    "addcmul": _PLAIN,
    "addmm": _PLAIN,
    "addmv": _PLAIN,
    "asinh": _PLAIN,
    "atan": _PLAIN,
    "atan2": _PLAIN,
    "avg_pool2d": _PLAIN,
    "baddbmm": _PLAIN,
    "binary_cross_entropy": _PLAIN,
    "binary_cross_entropy_with_logits": _PLAIN,
    "constant_pad_nd": _PLAIN,
    "convolution": _PLAIN,
    "cos": _PLAIN,
    "cumsum": _PLAIN,
    "dot": _PLAIN,
    "embedding": _PLAIN,
    "erf": _PLAIN,
    "erfc": _PLAIN,
    "hypot": _PLAIN,
    "lerp": _PLAIN,
    "linear": _PLAIN,
    "log_sigmoid": _PLAIN,
    "log_softmax": _PLAIN,
    "logaddexp": _PLAIN,
    "logsumexp": _PLAIN,
    "mean": _PLAIN,
    "mean.dim": _PLAIN,
    "mm": _PLAIN,
    "mul": _PLAIN,
    "mul.Scalar": _PLAIN,
    "mv": _PLAIN,
    "native_batch_norm": _PLAIN,
    "native_group_norm": NodeKind.SEVERAL_OUTPUTS,
    "native_layer_norm": _PLAIN,
    "neg": _PLAIN,
    "nll_loss": _PLAIN,
    "nll_loss2d": _PLAIN,
    "sin": _PLAIN,
    "sum": _PLAIN,
    "sum.dim_IntList": _PLAIN,
    "tan": _PLAIN,
    "upsample_bilinear2d": _PLAIN,
    "upsample_nearest2d": _PLAIN,
}

KINDS: dict[str, NodeKind] = {
    **_VIEWS,
    **{f"{op}_copy": kinds & ~NodeKind.VIEW for op, kinds in _VIEWS.items()},
    **_UNSAFE_VIEWS,
    **_COPIES,
    **_SUMS,
    **_CHOICES,
    **_ACTIVATIONS,
    **_FUNCTIONS,
    **_FURTHER,
}
"""Kinds by op (see `node_names`)."""


@functools.cache
def is_kind(name: str, *kinds: NodeKind) -> bool:
    """Whether a function of this name (or with this op) is of one of these kinds."""
    own = KINDS.get(op_of(name), _PLAIN)
    return any(kind in own for kind in kinds)


def is_listed(name: str) -> bool:
    """Whether a function of this name (or with this op) is in the table."""
    return op_of(name) in KINDS


@functools.cache
def has_one_output(name: str) -> bool:
    """Whether a Node of this name has one differentiable output, whatever its arguments; False if unknown."""
    op = op_of(name)
    return op in KINDS and NodeKind.SEVERAL_OUTPUTS not in KINDS[op]
