"""`assert_independent` and `assert_causal`, with brute force as the oracle: change one sample, see what moves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import inspector
from inspector.recording.sample_mixing import check_independence

N = 4
Function = Callable[[torch.Tensor], torch.Tensor]


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    return make()


def attend(x: torch.Tensor, *, causal: bool) -> torch.Tensor:
    return F.scaled_dot_product_attention(x, x, x, is_causal=causal)


def padded(x: torch.Tensor, left: int, right: int) -> torch.Tensor:
    return F.conv1d(F.pad(x.transpose(1, 2), (left, right)), torch.ones(3, 3, 3)).transpose(1, 2)


SAMPLES: dict[str, tuple[Function, bool]] = {
    "linear": (seeded(lambda: nn.Linear(3, 2)), True),
    "layer norm": (nn.LayerNorm(3), True),
    "softmax over features": (lambda x: x.softmax(dim=1), True),
    "attention within samples": (lambda x: attend(x.unsqueeze(1), causal=False).squeeze(1), True),
    "batch norm in eval": (nn.BatchNorm1d(3).eval(), True),
    "group norm": (nn.GroupNorm(1, 3), True),
    "transposed twice": (lambda x: (x.t() * torch.arange(1.0, 4.0).unsqueeze(1)).t(), True),
    "cumsum over features": (lambda x: x.cumsum(dim=1), True),
    "indexed by itself": (lambda x: x[torch.arange(N)], True),
    "detached mean": (lambda x: x - x.mean(dim=0).detach(), True),
    "view for transpose": (lambda x: x.view(3, N).t() * 2, False),
    "softmax over the batch": (lambda x: x.softmax(dim=0), False),
    "batch norm in training": (nn.BatchNorm1d(3), False),
    "centred by the batch": (lambda x: x - x.mean(dim=0), False),
    "layer norm over everything": (lambda x: F.layer_norm(x, x.shape), False),
    "attention over the batch": (lambda x: attend(x.unsqueeze(0), causal=False).squeeze(0), False),
    "rolled": (lambda x: x.roll(1, dims=0), False),
    "flipped": (lambda x: x.flip(0) ** 2, False),
    "cumsum over the batch": (lambda x: x.cumsum(dim=0), False),
    "mixed by a matrix": (lambda x: torch.ones(N, N) @ x, False),
}

POSITIONS: dict[str, tuple[Function, bool]] = {
    "causal attention": (lambda x: attend(x, causal=True), True),
    "attention": (lambda x: attend(x, causal=False), False),
    "padded on the left": (lambda x: padded(x, 2, 0), True),
    "padded on both sides": (lambda x: padded(x, 1, 1), False),
    "gru": (lambda x: seeded(lambda: nn.GRU(3, 2, batch_first=True))(x)[0], True),
    "bidirectional": (lambda x: seeded(lambda: nn.GRU(3, 2, batch_first=True, bidirectional=True))(x)[0], False),
    "cumsum": (lambda x: x.cumsum(dim=1), True),
    "softmax over time": (lambda x: x.softmax(dim=1), False),
    "shifted into the past": (lambda x: torch.cat([torch.zeros(2, 1, 3), x[:, :-1]], dim=1), True),
    "shifted into the future": (lambda x: torch.cat([x[:, 1:], torch.zeros(2, 1, 3)], dim=1), False),
}


def moved(function: Function, x: torch.Tensor, dim: int, position: int) -> list[int]:
    """The positions of the output that change with one position of the input."""
    other = x.clone()
    part = other.select(dim, position)
    part.add_(torch.linspace(0.2, 0.9, part.numel()).view(part.shape))
    difference = (function(other) - function(x)).detach().abs()
    return [int(k) for k in range(x.shape[dim]) if difference.select(dim, k).max() > 1e-6]


@pytest.mark.parametrize("name", SAMPLES)
def test_samples(name):
    function, is_independent = SAMPLES[name]
    x = torch.randn(N, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    if name != "detached mean":  # brute force sees values that a gradient does not
        assert is_independent == all(moved(function, x.detach(), 0, k) == [k] for k in range(N))
    out = function(x)
    if is_independent:
        inspector.assert_independent(out, x)
    else:
        with pytest.raises(inspector.GradientError, match=r"samples-mix: sample \d of the output") as raised:
            inspector.assert_independent(out, x)
        (found,) = raised.value.findings
        wrong = found.evidence["depends_on"]
        assert wrong and all(found.evidence["position"] in moved(function, x.detach(), 0, k) for k in wrong)
    assert x.grad is None
    out.sum().backward()  # the graph is still there


@pytest.mark.parametrize("name", POSITIONS)
def test_positions(name):
    function, is_causal = POSITIONS[name]
    x = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
    assert is_causal == all(min(moved(function, x.detach(), 1, k), default=k) >= k for k in range(5))
    out = function(x)
    if is_causal:
        inspector.assert_causal(out, x)
    else:
        with pytest.raises(inspector.GradientError, match=r"acausal: position \d of the output"):
            inspector.assert_causal(out, x)


def test_the_module_and_the_line_where_it_begins():
    model = seeded(lambda: nn.Sequential(nn.Linear(3, 3), nn.Softmax(dim=0), nn.Linear(3, 2)))
    x = torch.randn(N, 3).requires_grad_()
    with inspector.record(model) as recording:
        out = model(x)  # here
        with pytest.raises(inspector.GradientError) as raised:
            inspector.assert_independent(out, x)
        out.sum().backward()
    (found,) = raised.value.findings
    assert "it begins at softmax of 1" in found.message
    assert found.location["code"].startswith("out = model(x)")
    assert [call.index for call in recording.calls] == [1], "its own calls are not recorded"


def test_many_samples_and_the_generator_of_the_script():
    x = torch.randn(1000, 2).requires_grad_()
    state = torch.random.get_rng_state()
    inspector.assert_independent(x * 2, x)
    assert torch.equal(state, torch.random.get_rng_state())


def test_wrong_arguments():
    x = torch.randn(N, 3).requires_grad_()
    with pytest.raises(TypeError, match="output is a list"):
        inspector.assert_independent([x], x)
    with pytest.raises(ValueError, match="input does not require a gradient"):
        inspector.assert_independent(x * 2, torch.ones(N, 3))
    with pytest.raises(ValueError, match="no dimension 2"):
        inspector.assert_causal(x * 2, x, time=2)
    with pytest.raises(ValueError, match="different sizes: 3 in output and 4 in input"):
        inspector.assert_independent(x[:3], x)
    with pytest.raises(ValueError, match="output does not depend on input"):
        inspector.assert_independent(torch.ones(N, 3, requires_grad=True) * 2, x)


# `--check-independence`

B = 6
ROWS, SEQUENCES, IMAGES = torch.randn(B, 5), torch.randn(B, 7, 5), torch.randn(B, 1, 8, 8)
CLASSES, TOKENS = torch.arange(B) % 3, torch.arange(B * 7).view(B, 7) % 20


def classified(*layers: nn.Module, given: torch.Tensor = ROWS) -> torch.Tensor:
    return F.cross_entropy(nn.Sequential(*layers)(given), CLASSES)


def encoded(batch_first: bool) -> torch.Tensor:
    block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=batch_first)
    return F.cross_entropy(nn.Linear(8, 3)(block(nn.Linear(5, 8)(SEQUENCES)).mean(1)), CLASSES)


def language_model() -> torch.Tensor:
    block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    logits = nn.Linear(8, 20)(block(nn.Embedding(20, 8)(TOKENS)))
    return F.cross_entropy(logits.flatten(0, 1), TOKENS.flatten())


def scores() -> torch.Tensor:
    return nn.Linear(5, 3)(ROWS)


SEPARATE: dict[str, Callable[[], torch.Tensor]] = {
    "mlp": lambda: classified(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3)),
    "convolution": lambda: classified(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(144, 3), given=IMAGES),
    "layer norm": lambda: classified(nn.Linear(5, 8), nn.LayerNorm(8), nn.Linear(8, 3)),
    "group norm": lambda: classified(
        nn.Conv2d(1, 4, 3), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(144, 3), given=IMAGES
    ),
    "batch norm in eval mode": lambda: classified(nn.Linear(5, 8), nn.BatchNorm1d(8).eval(), nn.Linear(8, 3)),
    "embedding": lambda: F.cross_entropy(nn.Linear(4, 3)(nn.Embedding(20, 4)(TOKENS).mean(1)), CLASSES),
    "encoder": lambda: encoded(True),
    "language model": language_model,
    "weighed losses": lambda: (F.cross_entropy(scores(), CLASSES, reduction="none") * torch.rand(B)).mean(),
    "squares": lambda: scores().square().mean(),
}
MIXED: dict[str, tuple[str, Callable[[], torch.Tensor]]] = {
    "batch norm": ("native_batch_norm", lambda: classified(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))),
    "softmax": ("softmax", lambda: F.nll_loss(scores().softmax(0).log(), CLASSES)),
    "norm": ("linalg_vector_norm", lambda: F.cross_entropy(F.normalize(scores(), dim=0), CLASSES)),
    "mean": ("mean.dim", lambda: F.cross_entropy((h := scores()) - h.mean(0), CLASSES)),
    "cumsum": ("cumsum", lambda: F.cross_entropy(scores().cumsum(0), CLASSES)),
    "roll": ("roll", lambda: F.cross_entropy((h := scores()) + 0.1 * h.roll(1, 0), CLASSES)),
    "layer norm over all": ("native_layer_norm", lambda: F.cross_entropy(F.layer_norm(scores(), (B, 3)), CLASSES)),
    "encoder without batch_first": ("transpose", lambda: encoded(False)),
    "reshape": (
        "permute",
        lambda: classified(nn.Conv2d(1, 4, 3), Permuted(), nn.Linear(144, 3), given=IMAGES),
    ),
    "contrastive": ("permute", lambda: F.cross_entropy((z := scores()) @ z.T, torch.arange(B))),
}


class Permuted(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(1, 0, 2, 3).reshape(len(CLASSES), -1)


@pytest.mark.parametrize("loss", SEPARATE.values(), ids=SEPARATE)
def test_separate_samples(loss: Callable[[], torch.Tensor]) -> None:
    torch.manual_seed(0)
    root = loss()
    findings, checked = check_independence([root], 0)
    assert (findings, [check.status for check in checked]) == ([], ["nothing found"])
    root.backward()  # the graph is whole


@pytest.mark.parametrize(("op", "loss"), MIXED.values(), ids=MIXED)
def test_the_node_where_samples_begin_to_mix(op: str, loss: Callable[[], torch.Tensor]) -> None:
    torch.manual_seed(0)
    root = loss()
    (finding,), checked = check_independence([root], 0)
    assert checked == [] and finding.message.endswith(f"it begins at {op}")
    root.backward()


def test_a_recurrent_layer_whose_first_dimension_is_time_is_not_judged() -> None:
    rnn, head = nn.LSTM(5, 8, batch_first=True), nn.Linear(8, 3)
    for sequences in (SEQUENCES, torch.randn(B, B, 5)):
        (check,) = check_independence([head(rnn(sequences)[0][:, -1]).square().sum()], 0)[1]
        assert check.status == "not checked"
