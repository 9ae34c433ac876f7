"""torch.utils.checkpoint: what runs again in backward is no forward of its own, nor run by the inspector."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint, create_selective_checkpoint_contexts

import inspector


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
    if kind == "reentrant":  # its forward ran without a graph
        assert [row["name"] for row in functions].count("CheckpointFunctionBackward") == 2 and not inside
        return
    passes = {passed for row in inside for passed in row.get("passes", [])}
    assert passes == {0, 1}, "the second forward is no pass of a module; 0 is the ModuleList"
    states = {saved["before"] for row in inside for saved in row["saved"]} - {"empty"}
    assert states <= {"packed", "unknown"}, "reading a packed tensor would run the forward again"
