"""The values of Nodes that one operation creates inside: each known, each torch's, and nothing else changed."""

from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import torch.nn.functional as F
from running import ScriptRunner
from sweep import Sample, Tally, check, sweep
from torch import nn

import inspector
from benchmarks.models import GPT
from inspector.graph import is_unknown
from inspector.recording.forward.inner_operations import DISPATCHED

PACKAGE = str(Path(inspector.__file__).parent)


def of_module(module: Callable[[], nn.Module], *shapes: tuple[int, ...], steps: int = 1) -> Sample:
    def make() -> tuple[Callable[[], Any], list[torch.Tensor]]:
        made = module()
        inputs = [torch.randn(shape) for shape in shapes]

        def run() -> Any:
            result = made(*inputs)
            for _ in range(steps - 1):
                result = made(*inputs, result)
            return result

        return run, list(made.parameters())

    return Sample(module.__name__, make)


def of_function(function: Callable[..., Any], *shapes: tuple[int, ...]) -> Sample:
    def make() -> tuple[Callable[[], Any], list[torch.Tensor]]:
        leaves = [torch.randn(shape, requires_grad=True) for shape in shapes]
        return lambda: function(*leaves), leaves

    return Sample(function.__name__, make)


def lstm_cell() -> nn.Module:
    return nn.LSTMCell(5, 7)


def gru_cell() -> nn.Module:
    return nn.GRUCell(5, 7)


def rnn_cell() -> nn.Module:
    return nn.RNNCell(5, 7)


def rnn_relu_cell() -> nn.Module:
    return nn.RNNCell(5, 7, nonlinearity="relu")


def gru() -> nn.Module:
    return nn.GRU(5, 7, num_layers=2, bidirectional=True, batch_first=True)


def rnn() -> nn.Module:
    return nn.RNN(5, 7, nonlinearity="relu")


def encoder() -> nn.Module:
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)


def norm() -> nn.Module:
    return nn.RMSNorm(6)


def bilinear() -> nn.Module:
    return nn.Bilinear(4, 5, 3)


def response() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.LocalResponseNorm(2), nn.LPPool2d(2, 2), nn.Softsign())


def attention_of_itself() -> nn.Module:
    class Module(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.attention(x, x, x)[0]

    return Module()


def losses(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    sign = torch.tensor([1.0, -1.0, 1.0, -1.0])
    return torch.stack(
        [
            F.cosine_embedding_loss(x, y, sign),
            F.hinge_embedding_loss(x[:, 0], sign),
            F.margin_ranking_loss(x[:, 0], y[:, 0], sign),
            F.kl_div(x.log_softmax(-1), y.softmax(-1), reduction="batchmean"),
            F.l1_loss(x, y),
            F.poisson_nll_loss(x, y.abs()),
            F.gaussian_nll_loss(x, y, x.exp()),
            F.multilabel_soft_margin_loss(x, y.sigmoid().detach()),
            F.triplet_margin_loss(x, y, x * y),
            F.cosine_similarity(x, y).sum(),
        ]
    )


class VisionTransformer(nn.Module):
    """Patches by a convolution, a class token, layers with the norm first."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu", norm_first=True)
        self.patch, self.head = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 3)
        self.token, self.places = nn.Parameter(torch.zeros(1, 1, 8)), nn.Parameter(torch.randn(1, 5, 8))
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        patches = self.patch(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(len(x), -1, -1), patches], 1) + self.places
        out: torch.Tensor = self.head(self.blocks(tokens)[:, 0])
        return out


def autoencoder() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect"), nn.BatchNorm2d(4), nn.Mish()),
        *(nn.Conv2d(4, 4, 3, 2, 1, padding_mode="replicate"), nn.GroupNorm(2, 4), nn.Hardswish()),
        *(nn.Upsample(scale_factor=2, mode="bilinear"), nn.ConvTranspose2d(4, 8, 3, padding=1)),
        nn.PixelShuffle(2),
    )


class CausalDecoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), 1)
        self.tokens = nn.Embedding(5, 8)

    def forward(self, memory: torch.Tensor) -> torch.Tensor:
        tokens = self.tokens(torch.arange(4).repeat(len(memory), 1))
        mask = nn.Transformer.generate_square_subsequent_mask(4)
        out: torch.Tensor = self.layers(tokens, memory, tgt_mask=mask, tgt_is_causal=True)
        return out


def lstm_with_projections() -> nn.Module:
    return nn.LSTM(5, 6, 2, batch_first=True, bidirectional=True, proj_size=3)


def views_of_views(x: torch.Tensor) -> torch.Tensor:
    y = x.view(2, 6).unflatten(1, (2, 3)).movedim(0, -1)[..., None, :].squeeze(2).roll(1, 0)
    return torch.einsum("ijk,jlk->il", y, y.transpose(0, 1).contiguous()).tril() + x.unfold(0, 3, 1).sum()


def distributions(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    normal, choice = torch.distributions.Normal(x, y.exp()), torch.distributions.Categorical(logits=x)
    prior = torch.distributions.Normal(0.0, 1.0)
    likely = choice.log_prob(torch.tensor([0, 1, 2, 0])).sum() + normal.log_prob(y.detach()).sum()
    return likely + normal.entropy().mean() + torch.distributions.kl_divergence(normal, prior).sum()


def writes_in_place(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    h = x * w
    h += 1
    h.clamp_(min=-2).mul_(w.sigmoid())
    out = torch.zeros(4, 6)
    out[:, 1:] = h[:, 1:]
    out.index_add_(0, torch.tensor([0, 2]), h[:2])
    return out.masked_fill(out > 1, 0.5)


KNOWN = [
    of_module(VisionTransformer, (2, 3, 8, 8)),
    of_module(autoencoder, (2, 2, 8, 8)),
    of_module(CausalDecoder, (2, 5, 8)),
    of_module(lstm_with_projections, (2, 4, 5)),
    of_function(views_of_views, (12,)),
    of_function(distributions, (4, 6), (4, 6)),
    of_function(writes_in_place, (4, 6), (4, 6)),
    of_module(lstm_cell, (3, 5), steps=3),
    of_module(gru_cell, (3, 5), steps=3),
    of_module(rnn_cell, (3, 5), steps=3),
    of_module(rnn_relu_cell, (3, 5), steps=2),
    of_module(gru, (2, 4, 5)),
    of_module(rnn, (4, 2, 5)),
    of_module(encoder, (2, 5, 8)),
    of_module(attention_of_itself, (2, 5, 8)),
    of_module(norm, (4, 6)),
    of_module(bilinear, (2, 4), (2, 5)),
    of_module(response, (2, 3, 4, 4)),
    of_function(losses, (4, 6), (4, 6)),
]


@pytest.mark.parametrize("sample", KNOWN, ids=lambda sample: sample.name)
def test_every_node_has_the_value_that_torch_computed(sample: Sample) -> None:
    tally = sweep([sample])
    assert tally.wrong == []
    assert not tally.lacking
    assert tally.nodes > 2


def test_most_values_are_compared_with_torch() -> None:
    tally = Tally()
    for sample in KNOWN:
        check(sample, tally)
    assert tally.checked > 0.6 * tally.nodes  # the others are leaves, and where a mode leads to other Nodes


def attention(mask: str, dropout: float) -> tuple[dict[str, Any], list[torch.Tensor]]:
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 2, 4, 6, requires_grad=True) for _ in range(3))
    options: dict[str, Any] = {"dropout_p": dropout}
    if mask == "causal":
        options["is_causal"] = True
    elif mask == "boolean":
        options["attn_mask"] = torch.rand(4, 4) < 0.7
    elif mask == "floating":
        options["attn_mask"] = torch.randn(2, 1, 4, 4)
    return options, [query, key, value]


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("mask", ["none", "causal", "boolean", "floating"])
def test_attention_in_math_mode_is_known_inside(mask: str, dropout: float) -> None:
    options, (query, key, value) = attention(mask, dropout)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH), inspector.record() as recording:
        F.scaled_dot_product_attention(query, key, value, **options).sum().backward()
    rows = [row for _, row in recording.calls[0].graph.functions()]
    assert not [row["name"] for row in rows if is_unknown(row["before"]["data"])]
    scores = ((query * 6**-0.25) @ (key.transpose(-2, -1) * 6**-0.25)).detach()
    products = [row["before"]["data"]["norm"] for row in rows if row["name"] == "BmmBackward0"]
    assert products[1] == pytest.approx(float(scores.norm()))
    if mask == "floating":
        sums = [row["before"]["data"]["norm"] for row in rows if row["name"] == "AddBackward0"]
        assert sums == [pytest.approx(float((scores + options["attn_mask"]).norm()))]
    if mask in ("boolean", "causal"):
        allowed = options.get("attn_mask", torch.ones(4, 4, dtype=torch.bool).tril())
        sums = [row["before"]["data"]["infinities"] for row in rows if row["name"] == "AddBackward0"]
        assert sums == [int((~allowed).sum()) * 4]


def test_gpt_with_dropout_is_known_completely() -> None:
    torch.manual_seed(0)
    model, ids = GPT(2, 16), torch.randint(0, 100, (2, 8))
    attend = F.scaled_dot_product_attention

    def with_dropout(*arguments: Any, **options: Any) -> torch.Tensor:
        return attend(*arguments, **options, dropout_p=0.1)

    with pytest.MonkeyPatch.context() as patch, inspector.record() as recording:
        patch.setattr(F, "scaled_dot_product_attention", with_dropout)
        F.cross_entropy(model(ids).flatten(0, 1), ids.flatten()).backward()
    rows = [row for _, row in recording.calls[0].graph.functions()]
    assert "BmmBackward0" in {row["name"] for row in rows}
    assert not [row["name"] for row in rows if is_unknown(row["before"]["data"])]


def test_a_view_of_a_parameter_that_was_initialised_in_place_is_known() -> None:
    token = nn.Parameter(torch.empty(1, 1, 12))
    nn.init.normal_(token)
    with inspector.record() as recording:
        torch.cat((token.expand(4, -1, -1), torch.ones(4, 2, 12)), 1).sum().backward()
    row = next(row for _, row in recording.calls[0].graph.functions() if row["name"] == "ExpandBackward0")
    assert row["before"]["data"]["norm"] == pytest.approx(float(token.norm()) * 2)


def test_memory_that_is_not_initialised_stays_unknown() -> None:
    x = torch.randn(1, 2, 3, 3, requires_grad=True)
    with inspector.record() as recording:
        F.pad(x, (1, 1, 1, 1), mode="circular").sum().backward()
    copies = [row for _, row in recording.calls[0].graph.functions() if row["name"] == "CopySlices"]
    assert [is_unknown(row["before"]["data"]) for row in copies] == [False, True, True, True, True]


def error_of(run: Callable[[], Any]) -> tuple[Any, ...]:
    try:
        run()
    except Exception as error:
        return type(error), str(error), [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    raise AssertionError("no error")


@pytest.mark.parametrize(
    "run",
    [
        lambda: nn.GRUCell(5, 7)(torch.randn(3, 5), torch.randn(3, 6)),
        lambda: nn.GRU(5, 7)(torch.randn(3, 2, 5), torch.randn(1, 2, 7, dtype=torch.float64)),
        lambda: F.l1_loss(torch.randn(3, requires_grad=True), torch.randn(4)),
        lambda: torch.lstm_cell(
            torch.randn(2, 3), [torch.randn(2, 4)] * 2, torch.randn(16, 4, requires_grad=True), torch.randn(16, 4)
        ),
        lambda: nn.MultiheadAttention(8, 2)(torch.randn(3, 2, 8), torch.randn(3, 2, 8), torch.randn(4, 2, 8)),
        lambda: F.scaled_dot_product_attention(*(torch.randn(2, n, requires_grad=True) for n in (3, 4, 5))),
    ],
)
def test_an_error_inside_is_torchs_own(run: Callable[[], Any]) -> None:
    plain = error_of(run)
    with inspector.record() as recording:
        recorded = error_of(run)
    assert recording.failure is None
    assert recorded[:2] == plain[:2]
    assert not [file for file in recorded[2] if PACKAGE in file]


def test_a_subclass_and_a_mode_of_the_script_are_left_alone() -> None:
    class Tagged(torch.Tensor):
        calls: ClassVar[list[str]] = []

        @classmethod
        def __torch_function__(cls, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
            cls.calls.append(function.__name__)
            return super().__torch_function__(function, types, arguments, options or {})

    def step() -> list[str]:
        Tagged.calls = []
        x = torch.ones(2, 3).as_subclass(Tagged).requires_grad_()
        F.softsign(x).sum().backward()
        return [name for name in Tagged.calls if not name.startswith("__")]

    plain = step()
    with inspector.record() as recording:
        assert step() == plain
    assert recording.failure is None


def test_the_checks_of_torch_are_restored() -> None:
    before = {name: vars(F)[name] for name in ("has_torch_function", "has_torch_function_unary")}
    with inspector.record():
        F.softsign(torch.ones(3, requires_grad=True)).sum().backward()
        with pytest.raises(RuntimeError):
            F.l1_loss(torch.ones(3, requires_grad=True), torch.ones(4))
    assert {name: vars(F)[name] for name in before} == before


def test_no_compiler_is_imported() -> None:
    code = (
        "import sys, torch, inspector\n"
        "cell = torch.nn.LSTMCell(2, 3)\n"
        "with inspector.record(): cell(torch.ones(1, 2))[0].sum().backward()\n"
        "print('torch._dynamo' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_dispatched_function_is_one_of_torchs() -> None:
    places = (torch, torch._C._nn, torch._C._VariableFunctions)
    assert [name for name in sorted(DISPATCHED) if not any(hasattr(place, name) for place in places)] == []


CYCLES = """
import gc, torch
from torch import nn
import torch.nn.functional as F

def left_behind(name, call):
    gc.collect(); gc.disable(); gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        call()
    except (RuntimeError, ValueError):
        pass
    gc.collect(); gc.set_debug(0); gc.enable()
    print(name, len(gc.garbage))
    gc.garbage.clear()

x, q = torch.randn(3, 2, 4), torch.randn(1, 2, 3, 4, requires_grad=True)
for cell in nn.RNNCell(4, 3), nn.GRUCell(4, 3), nn.LSTMCell(4, 3):
    left_behind(type(cell).__name__, lambda: cell(x[0]))
for net in nn.LSTM(4, 3), nn.GRU(4, 3), nn.Linear(4, 2):
    left_behind(type(net).__name__, lambda: net(x))
attention = nn.MultiheadAttention(4, 2)
left_behind("attention", lambda: attention(x, x, x))
left_behind("scaled_dot_product", lambda: F.scaled_dot_product_attention(q, q, q))
left_behind("cross_entropy", lambda: F.cross_entropy(q[0, 0], torch.tensor([0, 1, 2])))
left_behind("refused", lambda: F.cross_entropy(q[0, 0], torch.tensor([0, 1])))
left_behind("pad", lambda: F.pad(q, (1, 1), mode="replicate"))
left_behind("backward", lambda: F.dropout(q).pow(2).sum().backward())
"""


def test_no_cycle_of_ours_keeps_a_tensor_alive(inspect_script: ScriptRunner) -> None:
    """As under python, everything that a call used is gone without the garbage collector."""
    plain = inspect_script.plain(CYCLES)
    ran = inspect_script(CYCLES, options=("-f", "json"))
    assert ran.stdout == plain.stdout and ran.status == plain.status == 0, ran.stderr
    assert all(line.endswith(" 0") for line in plain.stdout.splitlines())
