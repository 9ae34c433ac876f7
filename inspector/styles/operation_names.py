# ruff: noqa: RUF001 (the signs are those of figures)
"""What one calls an operation: `layer norm` for torch's `native_layer_norm`. No torch needed."""

from __future__ import annotations

import re
import textwrap

from inspector.graph.node_names import op_of, without_backward

_NAMES = {
    "adaptive_avg_pool": "average pool",
    "adaptive_max_pool": "max pool",
    "affine_grid_generator": "affine grid",
    "amax": "max",
    "amin": "min",
    "as_strided": "view",
    "avg_pool": "average pool",
    "binary_cross_entropy_with_logits": "binary cross entropy of logits",
    "cat": "concat",
    "clone": "copy",
    "col2im": "fold",
    "constant_pad": "pad",
    "convolution": "conv",
    "convolution_overrideable": "conv",
    "cross_entropy_loss": "cross entropy",
    "diag_embed": "diag",
    "diagonal": "diag",
    "embedding_dense": "embedding",
    "embedding_sparse": "embedding",
    "expand": "broadcast",
    "fft_r2c": "FFT",
    "fmax": "max",
    "fmin": "min",
    "fractional_max_pool": "max pool",
    "grid_sampler": "grid sample",
    "huber_loss": "Huber loss",
    "im2col": "unfold",
    "kl_div": "KL divergence",
    "linear_cross_entropy": "cross entropy",
    "log_sigmoid": "log σ",
    "max_pool": "max pool",
    "mse_loss": "squared error",
    "nll_loss": "negative log likelihood",
    "norm": "‖x‖",
    "prod": "Π",
    "reflection_pad": "pad",
    "replication_pad": "pad",
    "reshape_alias": "reshape",
    "rms_norm": "RMS norm",
    "rnn": "RNN",
    "rnn_layer": "RNN",
    "scaled_dot_product": "attention",
    "sigmoid": "σ",
    "smooth_l1_loss": "smooth L1 loss",
    "slow_conv": "conv",
    "sum": "Σ",
    "t": "transpose",
    "permute": "transpose",
    "threshold_backward": "relu′",
    "to_copy": "cast",
    "CopyBackwards": "copy",
    "torch::autograd::CopySlices": "write slice",
    "unflatten": "reshape",
    "unsqueeze": "reshape",
    "squeeze": "reshape",
    "upsample_bicubic": "upsample",
    "upsample_bilinear": "upsample",
    "upsample_linear": "upsample",
    "upsample_nearest": "upsample",
    "upsample_trilinear": "upsample",
    "vector_norm": "‖x‖",
    "view": "reshape",
}
"""By op, without what `_AROUND` leaves out; of others the underscores become spaces."""
_BEFORE = r"(?:native|linalg|special|fft|cudnn|mkldnn|miopen|mps|thnn|fused|unsafe|sparse|foreach|nnpack)_"
_AFTER = r"(?:_with_indices|_ex|_nd|_kernel|_with_noise|_forward|_for_cpu|_flash_attention|_efficient_attention"
_AFTER += r"|_fused_attention|_cudnn_attention|_attention|_sequence|_data|_?[123]d)"
_AROUND = re.compile(f"^{_BEFORE}+|{_AFTER}+$")
_OF_BACKWARD = re.compile(r"_backward(?:_data)?$")
PRIME = "′"
_WORDS = re.compile(rf"[^\W\d_]+\d?{PRIME}?(?: [^\W\d_]+\d?{PRIME}?)+")
_LONGEST_LINE = 12


def spoken_name(node: str) -> str:
    """What the operation of a Node is called: `max pool`; with a prime if it is the backward of another; the class
    of a custom Function."""
    op = op_of(node)
    op = op if op in _NAMES else op.partition(".")[0]
    if op == node and not op.islower() and op not in _NAMES:
        return without_backward(node)
    if op in _NAMES:
        return _NAMES[op]
    name = _OF_BACKWARD.sub("", op)
    if name != op:
        return spoken_name(name) + PRIME
    short = _AROUND.sub("", op) or op
    return _NAMES.get(short) or short.replace("_", " ")


def sign_lines(sign: str) -> list[str]:
    """The lines of a sign: of words, no line has more letters than needed, and none is broken within a word."""
    return [
        piece
        for line in sign.split("\n")
        for piece in (
            textwrap.wrap(line, _LONGEST_LINE, break_long_words=False, break_on_hyphens=False)
            if len(line) > _LONGEST_LINE and _WORDS.fullmatch(line)
            else [line]
        )
    ]
