"""Rules about saved tensors that were changed: inplace-modified, silent-overwrite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import inspector

X = torch.linspace(-1, 1, 32).reshape(8, 4)
Loss = Callable[[nn.Sequential], torch.Tensor]


def run(loss: Loss, *, raises: bool) -> list[Any]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    with inspector.record() as recording:
        root = loss(model)
        if raises:
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                root.backward()
        else:
            root.backward()
    assert recording.failure is None
    return recording.findings


def adds(model: nn.Sequential) -> torch.Tensor:
    h = torch.sigmoid(model(X))
    h += 1
    return h.sum()


def sets(model: nn.Sequential) -> torch.Tensor:
    h = model(X).tanh()
    y = h * h
    h[0] = 0.0
    return y.sum()


def under_no_grad(model: nn.Sequential) -> torch.Tensor:
    h = model(X).exp()
    with torch.no_grad():
        h.clamp_(max=1.0)
    return h.sum()


def another_row(model: nn.Sequential) -> torch.Tensor:
    """torch counts the writes of a storage as a whole."""
    buffer = torch.zeros(2, 4)
    buffer[0] = X[0]
    y = model[0].weight[0] * buffer[0]
    buffer[1] = X[1]
    return y.sum()


@pytest.mark.parametrize(
    ("loss", "writer", "saver"),
    [
        (adds, "h += 1", "Sigmoid"),
        (sets, "h[0] = 0.0", "Mul"),
        (under_no_grad, "h.clamp_(max=1.0)", "Exp"),
        (another_row, "buffer[1] = X[1]", "Mul"),
    ],
)
def test_who_wrote_and_who_had_saved(loss: Loss, writer: str, saver: str) -> None:
    (found,) = run(loss, raises=True)
    assert found.rule == "inplace-modified" and found.severity == "error"
    assert found.location["code"] == writer
    assert f"{saver} (line" in found.message and f"(line {found.location['line']})" in found.message
    assert "0.weight" in found.parameters


def test_what_to_do_about_a_write_inside_a_library() -> None:
    def rectified(model: nn.Sequential) -> torch.Tensor:
        h = torch.sigmoid(model(X))
        return nn.ReLU(inplace=True)(h).sum()

    def drawn_again(model: nn.Sequential) -> torch.Tensor:
        y = model(X)
        nn.init.ones_(model[1].weight)
        return y.sum()

    def changed_by_hand(model: nn.Sequential) -> torch.Tensor:
        y = model(X)
        with torch.no_grad():
            model[1].weight.mul_(2)
        return y.sum()

    advices = [run(loss, raises=True)[0].advice for loss in (rectified, drawn_again, changed_by_hand)]
    assert advices[0].startswith("pass inplace=False")
    assert advices[1].startswith("run the forward again after this line")
    assert advices[2].startswith("compute a new tensor")


def test_a_custom_function_whose_saved_tensor_was_written() -> None:
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
            return 2 * ctx.saved_tensors[0] * gradients[0]

    def loss(model: nn.Sequential) -> torch.Tensor:
        h = model(X)
        y = Square.apply(h)
        h.zero_()
        return y.sum()

    (found,) = run(loss, raises=True)
    assert found.location["code"] == "h.zero_()"
    assert found.message.startswith("Square (line")


def test_a_step_between_two_backward_calls_is_the_writer() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with inspector.record() as recording:
        y = model(X)
        y.sum().backward(retain_graph=True)
        optimizer.step()
        with pytest.raises(RuntimeError):
            y.pow(2).sum().backward()
    (found,) = recording.findings
    assert found.rule == "inplace-modified" and found.location["code"] == "optimizer.step()"
    assert found.backward_call == 2
    assert "run the forward again" in found.advice


@pytest.mark.parametrize(
    "loss",
    [
        lambda model: model(X).add_(1).mul_(2).sum(),
        lambda model: model(X).relu_().sum(),
        lambda model: nn.functional.dropout(model(X), 0.5, inplace=True).sum(),
    ],
)
def test_writes_over_what_nobody_saved_are_silent(loss: Loss) -> None:
    assert not run(loss, raises=False)


def data_write(model: nn.Sequential) -> torch.Tensor:
    h = torch.sigmoid(model(X))
    h.data.clamp_(0.4, 0.6)
    return h.sum()


def data_item(model: nn.Sequential) -> torch.Tensor:
    h = model(X)
    y = h**2
    h.data[0] = 0.0
    return y.sum()


def data_set(model: nn.Sequential) -> torch.Tensor:
    weight = model[1].weight
    y = model[0](X) @ weight
    weight.data = weight.data * 0.5
    return y.sum()


@pytest.mark.parametrize(
    ("loss", "writer", "harmed"),
    [
        (data_write, "h.data.clamp_(0.4, 0.6)", {"0.weight", "0.bias", "1.weight", "1.bias"}),
        (data_item, "h.data[0] = 0.0", {"0.weight", "0.bias", "1.weight", "1.bias"}),
        # the second layer's weight is the derivative by its input
        (data_set, "weight.data = weight.data * 0.5", {"0.weight", "0.bias"}),
    ],
)
def test_a_write_that_no_version_counter_sees(loss: Loss, writer: str, harmed: set[str]) -> None:
    (found,) = run(loss, raises=False)
    assert found.rule == "silent-overwrite" and found.severity == "error"
    assert found.location["code"] == writer
    assert set(found.parameters) == harmed


def test_a_tensor_that_is_given_its_own_memory_has_not_changed() -> None:
    """As by FSDP, and by `weight.data = weight.data.float()`."""

    def loss(model: nn.Sequential) -> torch.Tensor:
        weight = model[1].weight
        y = model[0](X) @ weight
        weight.data = weight.data.float()
        weight.data = weight.data.view(-1).view(weight.shape)
        return y.sum()

    assert run(loss, raises=False) == []


def test_numpy_shares_the_memory() -> None:
    def loss(model: nn.Sequential) -> torch.Tensor:
        h = torch.sigmoid(model(X))
        numbers = h.detach().numpy()
        numbers[0] = 0.0
        return h.sum()

    (found,) = run(loss, raises=False)
    assert found.rule == "silent-overwrite"
    assert found.location["code"] == "numbers[0] = 0.0"


def test_a_tensor_of_an_array_that_is_used_again() -> None:
    batch = np.ones((8, 4), dtype=np.float32)

    def loss(model: nn.Sequential) -> torch.Tensor:
        y = model[0](torch.from_numpy(batch))
        batch[:] = 2.0  # the next batch
        return y.sum()

    (found,) = run(loss, raises=False)
    assert found.rule == "silent-overwrite" and found.location["code"] == "batch[:] = 2.0"
    assert found.parameters == ["0.weight"]


def test_an_array_that_is_filled_anew_for_every_batch_is_silent() -> None:
    model, batch = nn.Linear(4, 1), np.ones((8, 4), dtype=np.float32)
    x = torch.from_numpy(batch)
    with inspector.record() as recording:
        for step in range(3):
            batch[:] = step + 1.0
            model(x).sum().backward()
    assert not recording.findings


def before(model: nn.Sequential) -> torch.Tensor:
    model[0].weight.data.mul_(0.5)  # initialisation
    return model(X).sigmoid().sum()


def elsewhere(model: nn.Sequential) -> torch.Tensor:
    h = model(X)
    y = h[0] ** 2
    h.data[1] = 0.0  # nobody saved this row
    return y.sum()


def a_copy(model: nn.Sequential) -> torch.Tensor:
    h = torch.sigmoid(model(X))
    h.data.clone().zero_()
    h.detach().numpy().copy()[:] = 0
    return h.sum()


def in_a_custom_function(model: nn.Sequential) -> torch.Tensor:
    class Clamp(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            result = x.clone()
            result.clamp_(0, 1)
            ctx.save_for_backward(result)
            return result

        @staticmethod
        def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
            return gradients[0] * (ctx.saved_tensors[0] > 0)

    return Clamp.apply(model(X)).sum()  # type: ignore[no-any-return]


@pytest.mark.parametrize("loss", [before, elsewhere, a_copy, in_a_custom_function])
def test_writes_that_harm_nothing_are_silent(loss: Loss) -> None:
    assert not run(loss, raises=False)


def test_a_light_call_that_fails_says_what_its_node_had_saved() -> None:
    w = torch.ones(20, requires_grad=True)
    with inspector.record() as recording:
        for step in range(2):
            h = h_saved = (w * 2).exp()
            for _ in range(120):  # so large that the second call is light
                h = h + 1
            if step:
                h_saved.mul_(3)
                with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                    h.sum().backward()
            else:
                h.sum().backward()
    graph = recording.calls[1].graph
    assert [finding.rule for finding in recording.findings] == ["inplace-modified"]
    saved = {row["name"]: row["saved"] for _, row in graph.functions() if row["saved"]}
    assert [item["name"] for item in saved.pop("ExpBackward0")] == ["result"]
    assert not saved  # of the others nothing was read
