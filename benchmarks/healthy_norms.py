"""What the thresholds of the diagnosis are measured on: healthy models at their initialisation, in train mode.

    python -m benchmarks.healthy_norms

For each model: how far the gradient falls and rises on its way (by norm, and by element), how much of each
rectifier's output is zero, and the slope of sigmoids, tanhs and softmaxes as a share of the steepest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

import inspector
from benchmarks.models import GPT
from inspector.diagnosis.analysis.activation_stats import alive, passed, slope
from inspector.diagnosis.analysis.node_ops import is_of_kind
from inspector.diagnosis.analysis.norm_along_path import LayerEnd, NormAlongPath
from inspector.diagnosis.backward_view import BackwardView
from inspector.graph.node_kinds import NodeKind

Case = tuple[str, Callable[[], torch.Tensor]]


def main() -> None:
    """Print the table of all models, and the extremes."""
    print("| model | lowest fall | highest rise | by element | | least alive | least passed | least slope |")
    print("|---|---|---|---|---|---|---|---|")
    rows = [_row(*case) for case in _cases()]
    columns = zip(*rows, strict=True)
    extremes = [max(column) if k in (1, 3) else min(column) for k, column in enumerate(columns)]
    print(f"| all | {' | '.join(_text(size) for size in extremes)} |")


def _row(name: str, forward: Callable[[], torch.Tensor]) -> list[float]:
    torch.manual_seed(0)
    with inspector.record(watch=1) as recording:
        forward().backward()
    call = BackwardView(recording.calls[0])
    row = [*_changes(call, by_element=False), *_changes(call, by_element=True), *_activations(call)]
    print(f"| {name} | {' | '.join(_text(size) for size in row)} |", flush=True)
    return row


def _changes(call: BackwardView, *, by_element: bool) -> tuple[float, float]:
    """What arrives at a layer, by the most and the least that arrived at the layers on the way to it: as the rules
    have it, at the use of each leaf where most arrives, and without branches of a residual stream."""
    depth = NormAlongPath(call)
    nearest: dict[str, LayerEnd] = {}
    for layer in depth.layers:
        if layer.leaf not in nearest or layer.step.size > nearest[layer.leaf].step.size:
            nearest[layer.leaf] = layer
    falls, rises = [1.0], [1.0]
    for layer in nearest.values():
        way = [step for step in depth.path_to_root(layer.step.node) if step.node in depth.used_at]
        sizes = [step.size / (_elements(call, step.node) if by_element else 1.0) for step in way]
        if min(sizes) <= 0:
            continue
        rises.append(sizes[0] / min(sizes))
        fall = layer.step.size / max(step.size for step in way)
        if layer.step.node in depth.low_norm_nodes(1.01 * fall):
            falls.append(sizes[0] / max(sizes))
    return min(falls), max(rises)


def _elements(call: BackwardView, node: str) -> float:
    gradient = call.functions[node]["gradient"]
    return math.sqrt(math.prod(gradient["shape"])) if isinstance(gradient, dict) else 1.0


def _activations(call: BackwardView) -> tuple[float, float, float]:
    shares: tuple[list[float], list[float], list[float]] = ([1.0], [1.0], [1.0])
    for node in call.functions:
        if is_of_kind(call, node, NodeKind.RECTIFIES):
            shares[0].extend(_known(alive(call, node)))
            shares[1].extend(_known(passed(call, node)))
        if is_of_kind(call, node, NodeKind.SQUASHES):
            shares[2].extend(_known(slope(call, node)))
    return min(shares[0]), min(shares[1]), min(shares[2])


def _known(value: float | None) -> list[float]:
    return [] if value is None else [value]


def _text(size: float) -> str:
    return f"{size:.2g}"


def _cases() -> Iterator[Case]:
    for layers in (2, 4, 8, 12):
        for width in (32, 256):
            yield f"MLP, relu, {layers} x {width}", lambda d=layers, w=width: _mlp(nn.ReLU, d, w)
    for activation in (nn.Tanh, nn.GELU, nn.SiLU, nn.ELU, nn.Sigmoid):
        for layers in (2, 4, 8):
            name = activation.__name__.lower()
            yield f"MLP, {name}, {layers} x 64", lambda a=activation, d=layers: _mlp(a, d, 64)
    for layers in (20, 50):
        yield f"MLP with batch norm, {layers} x 64", lambda d=layers: _mlp(nn.ReLU, d, 64, norm=True)
    for layers in (3, 6, 10):
        yield f"CNN, {layers} convolutions", lambda d=layers: _cnn(d, norm=False)
        yield f"CNN with batch norm, {layers} convolutions", lambda d=layers: _cnn(d, norm=True)
    for blocks in (4, 16, 50):
        yield f"ResNet, {blocks} blocks", lambda d=blocks: _resnet(d)
    for steps in (10, 50, 200):
        yield f"LSTM, 2 layers, {steps} steps", lambda n=steps: _rnn(nn.LSTM(16, 64, 2), n)
        yield f"GRU, 2 layers, {steps} steps", lambda n=steps: _rnn(nn.GRU(16, 64, 2), n)
        yield f"LSTMCell, {steps} steps", lambda n=steps: _cell(nn.LSTMCell(16, 64), n)
    for steps in (10, 30):
        yield f"RNN, {steps} steps", lambda n=steps: _rnn(nn.RNN(16, 64), n)
    for layers in (2, 12, 24):
        for width in (32, 128):
            yield f"GPT, {layers} x {width}", lambda d=layers, w=width: _gpt(d, w)
    for first in (False, True):
        for layers in (2, 6, 12):
            name = "pre-norm" if first else "post-norm"
            yield f"encoder, {name}, {layers} layers", lambda d=layers, f=first: _encoder(d, f)
    for model in ("GPT2", "Bert", "T5", "ViT", "ResNet", "Llama", "Mixtral", "ConvNext"):
        yield f"transformers, {model}", lambda m=model: _of_transformers(m)


def _mlp(activation: Callable[[], nn.Module], layers: int, width: int, *, norm: bool = False) -> torch.Tensor:
    parts: list[nn.Module] = []
    for _ in range(layers):
        parts += [nn.Linear(width, width), *([nn.BatchNorm1d(width)] if norm else []), activation()]
    logits = nn.Sequential(*parts, nn.Linear(width, 10))(torch.randn(64, width))
    return F.cross_entropy(logits, torch.randint(0, 10, (64,)))


def _cnn(layers: int, *, norm: bool) -> torch.Tensor:
    parts: list[nn.Module] = []
    channels = 3
    for k in range(layers):
        parts += [nn.Conv2d(channels, 32, 3, padding=1), *([nn.BatchNorm2d(32)] if norm else []), nn.ReLU()]
        parts += [nn.MaxPool2d(2)] if k % 3 == 1 else []
        channels = 32
    x = nn.Sequential(*parts)(torch.randn(16, 3, 32, 32)).flatten(1)
    return F.cross_entropy(nn.Linear(x.shape[1], 10)(x), torch.randint(0, 10, (16,)))


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.branch(x))


def _resnet(blocks: int) -> torch.Tensor:
    x = torch.randn(8, 3, 16, 16)
    model = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), *(_Residual(16) for _ in range(blocks)))
    return F.cross_entropy(nn.Linear(16, 10)(model(x).mean((2, 3))), torch.randint(0, 10, (8,)))


def _rnn(model: Any, steps: int) -> torch.Tensor:
    out, _ = model(torch.randn(steps, 8, 16))
    return F.cross_entropy(nn.Linear(64, 10)(out[-1]), torch.randint(0, 10, (8,)))


def _cell(cell: nn.LSTMCell, steps: int) -> torch.Tensor:
    state = (torch.zeros(8, 64), torch.zeros(8, 64))
    for x in torch.randn(steps, 8, 16):
        state = cell(x, state)
    return F.cross_entropy(nn.Linear(64, 10)(state[0]), torch.randint(0, 10, (8,)))


def _gpt(layers: int, width: int) -> torch.Tensor:
    ids = torch.randint(0, 100, (4, 32))
    return F.cross_entropy(GPT(layers, width)(ids).flatten(0, 1), ids.flatten())


def _encoder(layers: int, norm_first: bool) -> torch.Tensor:
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=norm_first)
    x = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)(torch.randn(4, 20, 32))
    return F.cross_entropy(nn.Linear(32, 10)(x.mean(1)), torch.randint(0, 10, (4,)))


def _of_transformers(name: str) -> torch.Tensor:
    from tests.small_models import MODELS

    model, inputs = MODELS[name]()
    return model.train()(**inputs).loss


if __name__ == "__main__":
    main()
