"""What is in the Nodes of compiled functions: operations, lines and modules, as AOTAutograd tells them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from needs import needs
from recorded import recorded

from inspector.graph import Graph
from inspector.terminal.compiled_lines import compiled_lines
from inspector.torch_api.compiled_graphs import COMPILED_GRAPHS, backward_operations

TEXT = """
from torch import nn
import torch._dynamo as dynamo
torch.manual_seed(0)
dynamo.reset()
dynamo.utils.counters.clear()

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.ModuleList([nn.Linear(4, 8)])
        self.outer = nn.Linear(8, 1)
    def forward(self, x):
        h = torch.tanh(self.inner[0](x))
        dynamo.graph_break()
        return self.outer(h)

net = Net()
compiled = torch.compile(net, backend="aot_eager")
loss = compiled(torch.ones(3, 4)).sum()
loss.backward()
grads = [p.grad.tolist() for p in net.parameters()]
frames = dict(dynamo.utils.counters["frames"])
"""


def _parts(graph: Graph) -> list[Any]:
    return [row.get("compiled") for _, row in graph.functions() if row["name"].startswith("CompiledFunction")]


@pytest.fixture(autouse=True)
def reset() -> Iterator[None]:
    """Else a later recorder rightly finds that torch.compile is in use."""
    yield
    torch._dynamo.reset()


@needs(COMPILED_GRAPHS)
def test_the_operations_have_the_lines_and_modules_of_the_forward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two parts, since the forward has a graph break. Frames and grads are those without the inspector."""
    graph, names = recorded(tmp_path, TEXT)
    last, first = _parts(graph)
    assert {operation["source"]["code"] for operation in first["operations"]} == {
        "h = torch.tanh(self.inner[0](x))"
    }
    assert {operation["source"]["code"] for operation in last["operations"]} == {"return self.outer(h)"}
    assert {operation["module"] for operation in first["operations"]} == {None, "inner.0"}
    assert {operation["module"] for operation in last["operations"]} == {"outer"}
    assert "tanh_backward" in [operation["name"] for operation in first["operations"]]
    assert "graph_break" not in first and last["graph_break"]["code"] == "dynamo.graph_break()"
    for part in (first, last):
        for position, operation in enumerate(part["operations"]):
            assert all(earlier < position for earlier in operation["inputs"])
    plain: dict[str, Any] = {"torch": torch}
    exec(compile(TEXT, str(tmp_path / "plain.py"), "exec"), plain)
    assert names["frames"] == plain["frames"] and names["grads"] == plain["grads"]
    text = "\n".join(line.plain for line in compiled_lines(graph, 200))
    assert "(inner.0)" in text and "begins after the graph break at" in text
    node = names["loss"].grad_fn.next_functions[0][0]
    assert backward_operations(node) is not None
    failed: list[Exception] = []
    monkeypatch.setattr(COMPILED_GRAPHS, "turn_off", failed.append)
    monkeypatch.setattr("inspector.torch_api.compiled_graphs._operations", lambda graph: 1 / 0)
    assert backward_operations(node) is None and len(failed) == 1
