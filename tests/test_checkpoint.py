"""torch.utils.checkpoint: what runs again in backward is no forward of its own, nor run by the inspector."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

import inspector
from inspector.folding import fold
from inspector.recording import nested_calls
from inspector.recording.gradient_hooks import GradientCapture
from inspector.styles.inner_groups import inner_texts
from inspector.styles.modules import plan_modules
from inspector.styles.subject import Subject
from inspector.tensor_stats import Batch


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Linear(6, 12), nn.Linear(12, 6)
        self.runs = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.runs += 1
        return x + torch.dropout(self.narrow(torch.tanh(self.wide(x))), 0.5, True)


class _Net(nn.Module):
    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__()
        self.stem, self.blocks, self.head = nn.Linear(4, 6), nn.ModuleList([_Block(), _Block()]), nn.Linear(6, 1)
        self._options = options

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for block in self.blocks:
            x = checkpoint(block, x, **self._options)
        out: torch.Tensor = self.head(x)
        return out


def _selective() -> Any:
    return create_selective_checkpoint_contexts([torch.ops.aten.addmm.default])


KINDS: dict[str, dict[str, Any]] = {
    "reentrant": {"use_reentrant": True},
    "non-reentrant": {"use_reentrant": False},
    "selective": {"use_reentrant": False, "context_fn": _selective},
}


def _train(options: dict[str, Any], recording: Any = None) -> tuple[_Net, list[Any]]:
    torch.manual_seed(0)
    net = _Net(options)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    x = torch.randn(5, 4)
    grads: list[Any] = []
    with recording(net, optimizer) if recording else torch.enable_grad() as run:
        for _ in range(2):
            optimizer.zero_grad()
            net(x).square().mean().backward()
            grads += [parameter.grad.tolist() for parameter in net.parameters() if parameter.grad is not None]
            optimizer.step()
    return net, [run, grads, torch.rand(1).item()]


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_runs_and_random_numbers_are_those_without_the_inspector(kind: str) -> None:
    options = KINDS[kind]
    plain, (_, grads, number) = _train(options)
    net, (recording, recorded_grads, recorded_number) = _train(options, inspector.record)
    assert grads and recorded_grads == grads and recorded_number == number
    assert [block.runs for block in net.blocks] == [block.runs for block in plain.blocks] == [4, 4]
    assert recording.findings == []
    functions = [row for _, row in recording.calls[-1].graph.functions()]
    assert all("made_in" not in row for row in functions), "a Node of the second forward"
    inside = [row for row in functions if isinstance(row["module"], str) and row["module"].startswith("blocks.")]
    nested = [row["nested"] for row in functions if "nested" in row]
    if kind == "reentrant":  # its forward ran without a graph
        assert [_leaves(part) for part in nested] == [
            {f"blocks.{number}.{name}.{kind}" for name in ("wide", "narrow") for kind in ("weight", "bias")}
            for number in (1, 0)
        ]
        assert [row["name"] for row in functions].count("CheckpointFunctionBackward") == 2 and not inside
        return
    assert not nested
    passes = {passed for row in inside for passed in row.get("passes", [])}
    assert passes == {0, 1}, "the second forward is no pass of a module; 0 is the ModuleList"
    states = {saved["before"] for row in inside for saved in row["saved"]} - {"empty"}
    assert states <= {"packed", "unknown"}, "reading a packed tensor would run the forward again"


def _leaves(part: Any) -> set[str]:
    return {leaf for operation in part["operations"] if (leaf := operation.get("leaf"))}


class _Outer(nn.Module):
    """A checkpoint in a checkpoint, with a layer that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(3, 3), nn.Linear(3, 3)
        self.made: list[weakref.ref[torch.Tensor]] = []

    def forward(self, x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        y = x if y is None else y
        h = torch.tanh(self.outer(x)) * y
        self.made.append(weakref.ref(h))
        deep: torch.Tensor = checkpoint(self.inner, h, use_reentrant=True)
        return torch.sin(self.inner(deep))


@pytest.mark.parametrize("mode", ["full", "light"])
def test_the_graph_of_a_reentrant_checkpoint_is_seen_as_it_runs(mode: Any) -> None:
    """What arrives at the leaves inside are their grads, as without the recording, and nothing stays alive."""

    def train(record: bool) -> Any:
        torch.manual_seed(1)
        net = _Outer()
        start, second = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
        with inspector.record(net, mode=mode) if record else torch.enable_grad() as run:
            checkpoint(net, start, second, use_reentrant=True).sum().backward()
        assert all(reference() is None for reference in net.made)
        return run, {"start": start.grad, "second": second.grad} | {
            name: parameter.grad for name, parameter in net.named_parameters()
        }

    run, grads = train(True)
    _, plain = train(False)
    assert all(torch.equal(grads[name], plain[name]) for name in grads)
    (row,) = (row for _, row in run.calls[0].graph.functions() if "nested" in row)
    part = row["nested"]
    names = [operation["name"] for operation in part["operations"]]
    assert names.count("CheckpointFunctionBackward") == 1 and names.count("AddmmBackward0") == 3
    assert _leaves(part) == {"inner.weight", "inner.bias", "outer.weight", "outer.bias"}
    inner = names.index("CheckpointFunctionBackward")
    assert names[inner + 1] == "AddmmBackward0" and part["operations"][inner + 1]["inputs"] == [inner]
    modules = {operation["module"] for operation in part["operations"] if "leaf" not in operation}
    assert modules == {"", "inner", "outer"}
    for slot, name in enumerate(("start", "second")):
        arrived = part["operations"][part["returns"][slot]]["gradient"]
        assert arrived["norm"] == pytest.approx(plain[name].norm().item())
    (arrived,) = (item["gradient"] for item in part["operations"] if item.get("leaf") == "outer.weight")
    assert torch.equal(torch.tensor(arrived), plain["outer.weight"])
    tanh = names.index("TanhBackward0")
    assert names[part["operations"][tanh]["inputs"][0]] == "MulBackward0"
    assert any(names[at] == "AccumulateGrad" for at in part["operations"][names.index("MulBackward0")]["inputs"])


def test_a_function_that_calls_the_engine_in_its_backward() -> None:
    """Its graph is seen; where the gradients go is its own affair."""

    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(x)
            return 2 * x

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
            (x,) = ctx.saved_tensors
            with torch.enable_grad():
                again = x.detach().requires_grad_()
                (found,) = torch.autograd.grad(2 * again, again, gradient)
            return found

    x = torch.ones(2, requires_grad=True)
    with inspector.record() as run:
        Twice.apply(x).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [2, 2]
    (row,) = (row for _, row in run.calls[0].graph.functions() if "nested" in row)
    assert [operation["name"] for operation in row["nested"]["operations"]] == ["MulBackward0"]
    assert "returns" not in row["nested"] and inner_texts(row) == ["1 Node inside"]


def test_a_box_of_checkpoints_has_the_leaves_inside_of_them() -> None:
    layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(20))
    with inspector.record() as run:
        y = torch.randn(3, 4, requires_grad=True)
        for layer in layers:
            y = checkpoint(layer, y, use_reentrant=True).tanh()
        y.sum().backward()
    folded = fold(run.calls[0].graph, 1)
    found = [(row["count"], row["parameters"], row.get("nested_leaves")) for _, row in folded.folds()]
    assert sorted(found) == [(1, 1, 2), (19, 0, 38)]
    boxes = plan_modules(Subject(folded, "after")).boxes
    assert {"3 leaves", "38 leaves"} <= {words.text for box in boxes for row in box.rows for words in row.lines}


@pytest.mark.parametrize("fails_at", [1, 2])
def test_an_internal_error_leaves_no_hooks(fails_at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a leaf's AccumulateGrad would run in later calls. The second call is one inside of the first."""
    made: list[GradientCapture] = []

    class Noted(GradientCapture):
        def __init__(self, batch: Batch) -> None:
            super().__init__(batch)
            made.append(self)

    def slots(graph: Any, inputs: Any) -> None:
        if len(made) == fails_at:
            raise ValueError("broken")

    monkeypatch.setattr(nested_calls, "GradientCapture", Noted)
    monkeypatch.setattr(nested_calls, "_slots", slots)
    inner, x = nn.Linear(2, 2), torch.ones(3, 2, requires_grad=True)
    with inspector.record() as run:
        outer = checkpoint(lambda x: checkpoint(inner, x.tanh(), use_reentrant=True), x, use_reentrant=True)
        outer.sum().backward()
    assert x.grad is not None and len(made) == fails_at
    assert any("internal error, ValueError: broken" in remark for remark in run.report().recording["remarks"])
    assert not any(len(capture._hooks) for capture in made)
