"""Captions: what is said of a step holds for its numbers, for every op."""

# ruff: noqa: RUF001 (captions have the minus sign)
from __future__ import annotations

import re

import pytest
import torch
from torch.nn import functional as F

import inspector
from inspector.figure.frame_plans import FramePlans
from inspector.graph import Graph
from inspector.graph.step_replay import replay_frames
from inspector.options import FigureOptions, Presentation
from inspector.options.words import WORDS
from inspector.styles.captions import Captions
from inspector.styles.tensor_captions import passed_count

STEP = re.compile(r"step-\d+")
_FIXED = {key: text.partition("{")[0] for key, text in WORDS.items()}


def captions_of(root: torch.Tensor, reveal: bool = False) -> dict[str, str]:
    """Moment → caption of a backward call from this root."""
    with inspector.record() as recording:
        root.backward()
    return captions(recording.calls[0].graph, reveal)


def captions(graph: Graph, reveal: bool = False) -> dict[str, str]:
    plans = FramePlans(FigureOptions(), presentation=Presentation(reveal=reveal))
    return plans.captions(graph, replay_frames(graph, 100))


def steps(root: torch.Tensor) -> str:
    return " ".join(text for moment, text in captions_of(root).items() if STEP.fullmatch(moment))


@pytest.fixture
def x() -> torch.Tensor:
    return torch.tensor(3.0, requires_grad=True)


@pytest.fixture
def w() -> torch.Tensor:
    return torch.tensor(2.0, requires_grad=True)


def test_a_product_swaps_its_factors(x: torch.Tensor, w: torch.Tensor) -> None:
    said = steps(w * x)
    assert "× swaps: each factor gets the other times what arrives: w gets 3 · 1 = 3, x gets 2 · 1 = 2." in said
    assert "w has its whole gradient: w.grad = 3." in said


def test_of_a_maximum_one_is_chosen_unless_both_are_equal(x: torch.Tensor, w: torch.Tensor) -> None:
    said = steps(torch.maximum(x, w))
    assert "Only what maximum chose gets the gradient: x gets 1 · 1 = 1, w gets 0 · 1 = 0." in said
    equal = torch.tensor(3.0, requires_grad=True)
    said = steps(torch.maximum(x, equal))
    assert "chose" not in said and "x gets 0.5 · 1 = 0.5, equal gets 0.5 · 1 = 0.5" in said


def test_a_sum_hands_its_gradient_on(x: torch.Tensor, w: torch.Tensor) -> None:
    assert "The gradient of the sum goes unchanged to both: 10." in steps((w + x) ** 2)
    assert "A constant term changes nothing: 8 goes on to x." in steps((x + 1) ** 2)


def test_a_scaled_sum_is_not_said_to_go_unchanged(x: torch.Tensor, w: torch.Tensor) -> None:
    """alpha scales one of the terms."""
    said = steps(torch.add(w, x, alpha=3))
    assert "unchanged" not in said
    assert "w gets 1 · 1 = 1, x gets 3 · 1 = 3" in said


def test_a_difference_turns_one_sign(x: torch.Tensor, w: torch.Tensor) -> None:
    assert "goes unchanged to w, with the opposite sign to x: 1, −1." in steps(w - x)
    assert _FIXED["negative"] in steps(1 - x)


def test_what_a_hook_made_of_a_gradient_is_what_arrives(x: torch.Tensor, w: torch.Tensor) -> None:
    z = w * x
    z.register_hook(lambda gradient: 5 * gradient)
    y = z + x
    said = steps(y)
    assert "each factor gets the other times what arrives: w gets 3 · 5 = 15, x gets 2 · 5 = 10." in said


def test_relu_passes_or_stops(x: torch.Tensor) -> None:
    assert "relu lets the gradient through unchanged: 1." in steps(torch.relu(x))
    y = -x
    z = torch.relu(y)
    assert "The slope of relu is 0 here: nothing gets through to y." in steps(z)


def test_several_paths_are_added(x: torch.Tensor) -> None:
    assert "2 gradients arrive and are added: 1 + 1 = 2. x has its whole gradient: x.grad = 2." in steps(x + x)


def test_a_second_backward_adds(x: torch.Tensor) -> None:
    (x * 2).backward()
    assert "x.grad was 2; 2 is added: x.grad = 4." in steps(x * 2)


def test_vectors_and_matrices(x: torch.Tensor) -> None:
    v = torch.tensor([1.0, 2.0], requires_grad=True)
    W = torch.tensor([[1.0, 0.0], [0.0, 3.0]], requires_grad=True)
    said = steps((W @ v).sum())
    assert "Every term of the sum gets the same gradient" in said
    assert "the gradient that arrives: W (2×2) gets δ vᵀ = [[1, 2], [1, 2]], v (2) gets Wᵀ δ = [1, 3]." in said
    assert "Each of the 2 numbers gets 1/2 of what arrives: v gets [0.5, 0.5]." in steps(v.mean())
    assert "v gets the other factor of the dot product times what arrives: [5, 6]." in steps(
        v @ torch.tensor([5.0, 6.0])
    )


def test_a_sum_over_a_dimension_and_what_was_broadcast() -> None:
    X = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 1.0]])
    b = torch.tensor([1.0, -3.0], requires_grad=True)
    h = torch.relu(X + b)
    said = steps((h.sum(dim=1) * torch.tensor([1.0, 2.0, 4.0])).sum())
    kept = int((X + b > 0).sum())
    assert f"relu lets {kept} of the 6 numbers through unchanged, the others become 0" in said
    assert "The numbers of each row were added, so each of them gets the gradient of its sum: h gets" in said
    assert "b was repeated along the 3 rows, so its gradient is summed over the 3 rows." in said
    said = steps((b * torch.ones(3, 1)).mean(dim=0).sum())
    assert "The numbers of each column were averaged, so each of them gets 1/3 of the gradient of its mean" in said


def test_what_a_hook_changed_is_not_called_a_sum() -> None:
    m = torch.ones(2, 3, requires_grad=True)
    h = m * 1
    h.register_hook(lambda gradient: gradient * torch.arange(3.0))
    said = steps(h.sum(dim=1).prod())
    assert "of each row were added" in said  # what sum hands on is what the hook gets
    same = torch.tensor([[2.0, 3.0]], requires_grad=True)
    assert "repeated" not in steps((same + torch.ones(1, 2)).sum())


def test_several_outputs_have_their_own_names() -> None:
    v = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    with inspector.record() as recording:
        a, b, c = v
        y = a * b + c
        y.backward()
    said = captions(recording.calls[0].graph, reveal=True)
    assert said["forward-01"] == "a, b, c = unbind(v) = [1, 2, 3]"
    assert said["forward-02"] == "1·2 = 2"
    assert "unbind only rearranges numbers, so the gradient is rearranged back: v gets [2, 1, 1]." in said.values()


def test_what_is_left_out_gets_zero() -> None:
    v = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    assert "select took some of the numbers" in steps(v[1] * 2)
    assert "the others get 0: v gets [0, 2, 0]." in steps(v[1] * 2)


def test_a_gradient_that_backward_is_given() -> None:
    v = torch.tensor([1.0, 2.0], requires_grad=True)
    with inspector.record() as recording:
        y = v * 3
        y.backward(torch.tensor([1.0, 10.0]))
    said = captions(recording.calls[0].graph)
    assert said["step-01"].startswith("It begins at y: the gradient of y is [1, 10].")


class _Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value):
        return 2 * value

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


@pytest.mark.parametrize(
    "root",
    [
        lambda: _Twice.apply(torch.ones((), requires_grad=True)),
        lambda: F.cross_entropy(torch.randn(40, 30, requires_grad=True), torch.arange(40) % 30),
        lambda: F.max_pool1d(torch.randn(1, 1, 8, requires_grad=True), 2).sum(),
        lambda: F.layer_norm(torch.randn(3, requires_grad=True), (3,)).prod(),
        lambda: torch.stack([torch.ones(2, requires_grad=True)] * 2).cumsum(0)[1, 0],
        lambda: torch.ones(2, dtype=torch.complex64, requires_grad=True).abs().sum(),
        lambda: torch.tensor(0.0, requires_grad=True).sqrt() * 0,
        lambda: torch.linalg.inv(torch.eye(2, requires_grad=True) * 2).sum(),
    ],
    ids=["custom", "cross_entropy", "max_pool", "layer_norm", "stack", "complex", "infinite", "inv"],
)
def test_every_step_has_a_caption(root) -> None:
    said = captions_of(root(), reveal=True)
    assert all(text and "{" not in text for text in said.values())
    assert any(STEP.fullmatch(moment) for moment in said)


def test_the_forward_is_told_in_numbers(x: torch.Tensor, w: torch.Tensor) -> None:
    with inspector.record() as recording:
        y = -x
        z = torch.tanh(w * y)
        z.backward()
    said = list(captions(recording.calls[0].graph, reveal=True).values())
    assert said[:5] == [
        "Forward is done: z = −1. Backward has not begun.",
        "The leaves: w = 2, x = 3.",
        "y = −3",
        "2·(−3) = −6",
        "z = tanh(−6) = −1",
    ]


def test_an_error_ends_the_story() -> None:
    x = torch.ones((), requires_grad=True)
    y = x.exp()
    y += 1
    with inspector.record() as recording, pytest.raises(RuntimeError):
        y.backward()
    said = captions(recording.calls[0].graph)
    assert said["after"].startswith("Backward stopped with an error: RuntimeError: one of the variables")


def test_words_replace_the_captions(x: torch.Tensor, w: torch.Tensor) -> None:
    from inspector.options.words import Words

    with inspector.record() as recording:
        (w + x).backward()
    graph = recording.calls[0].graph
    words = Words({"sum": "Die Summe reicht {gradient} an beide weiter."})
    (first, *_) = replay_frames(graph, 100)
    assert Captions(graph, words).step(first, graph).endswith("Die Summe reicht 1 an beide weiter.")


def test_a_gradient_of_zero_does_not_count_as_stopped() -> None:
    assert passed_count([2.0, 0.0, 0.0], [2.0, 3.0, 4.0]) == (1, 3)
    assert passed_count([2.0, 0.0, 0.0], [2.0, 0.0, 4.0]) is None


@pytest.mark.parametrize(
    ("values", "written"),
    [
        (1.5, "1.5"),
        ([1.0, 2.0], "[1, 2]"),
        ([[1.0, 2.0], [3.0, 4.0]], "[[1, 2], [3, 4]]"),
        ([[0.123, 0.456, 0.789], [1.234, 5.678, 9.012]], "2×3 ‖{norm:.4g}‖"),
        ([0.123, 0.456, 0.789, 1.234], "[4] ‖{norm:.4g}‖"),
    ],
)
def test_a_long_grad_is_written_as_its_norm(values: object, written: str) -> None:
    W = torch.zeros_like(torch.tensor(values), requires_grad=True)
    text = written.format(norm=torch.tensor(values).norm())
    assert captions_of((W * torch.tensor(values)).sum())["after"] == f"Backward is done: W.grad = {text}."
