"""What is in the Nodes of compiled functions: operations, lines and modules, as AOTAutograd tells them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geometry
import pytest
import torch
from needs import needs
from recorded import recorded
from running import OUTPUT, QUICK, valid_report

import inspector
from inspector.figure import draw
from inspector.graph import Graph
from inspector.graph.topology import topology_of
from inspector.options import FigureOptions
from inspector.report.checking import Mismatch
from inspector.report.links import check_links
from inspector.styles.attributes import plan_attributes
from inspector.styles.inner_groups import STYLES_WITH_GROUPS, inner_texts
from inspector.styles.plan import GroupedPlan
from inspector.styles.subject import Subject
from inspector.terminal.inner_lines import inner_lines
from inspector.torch_api.compiled_graphs import COMPILED_GRAPHS, backward_operations
from inspector.tracing.compiled_parts import with_script_paths

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


def _operations(part: Any) -> list[tuple[str, int]]:
    return [(operation["name"], operation["source"]["line"]) for operation in part["operations"]]


@pytest.fixture(autouse=True)
def reset() -> Iterator[None]:
    """Else a later recorder rightly finds that torch.compile is in use."""
    yield
    torch._dynamo.reset()


def _assert_drawn(graph: Graph) -> None:
    """The gradient of a parameter comes from an operation of its module, on the ground of its Node."""
    leaves = topology_of(graph).leaves
    plan = plan_attributes(Subject(graph, "after"))
    assert isinstance(plan, GroupedPlan) and len(plan.groups) == 2
    boxes = {box.id: [words.text for words in box.texts] for box in plan.boxes}
    ends = {wire.target: wire.source for wire in plan.wires if wire.target in leaves}
    for target, source in ends.items():
        module = (graph.tensor(leaves[target])["name"] or "").rpartition(".")[0]
        assert boxes[source][1].startswith(f"{module}, line ")
        assert any(source in group for group in plan.groups)
    assert len(ends) == 4
    for style in STYLES_WITH_GROUPS:
        figure = draw(graph, FigureOptions(style=style))
        assert geometry.problems(figure.scene) == []
        assert [len(panel.grounds) for panel in figure.scene.panels] == [2, 2]
    one, other = draw(graph), draw(graph, FigureOptions(style="modules"), depth="full")
    assert any("operations inside of Nodes left out" in remark for remark in one.remarks)
    for figure in (one, other):
        assert not figure.scene.panels[0].grounds
        texts = [text.text for box in figure.scene.panels[0].boxes for text in box.texts]
        assert any(text.startswith("after the graph break at line ") for text in texts)
    kept = graph.function(plan.groups[0][0])
    assert inner_texts({**kept, "compiled": {"unknown": "why"}}) == ["operations unknown"]


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
    text = "\n".join(line.plain for line in inner_lines(graph, 200))
    assert "(inner.0)" in text and "begins after the graph break at" in text
    traced = _parts(inspector.trace(names["loss"]))
    assert [_operations(part) for part in traced] == [_operations(part) for part in (last, first)]
    _assert_drawn(graph)
    node = names["loss"].grad_fn.next_functions[0][0]
    assert backward_operations(node) is not None
    failed: list[Exception] = []
    monkeypatch.setattr(COMPILED_GRAPHS, "turn_off", failed.append)
    monkeypatch.setattr("inspector.torch_api.compiled_graphs._operations", lambda graph, targets: 1 / 0)
    assert backward_operations(node) is None and len(failed) == 1


COMMAND = (
    TEXT.replace("import torch._dynamo as dynamo\n", "import sys, torch\nimport torch._dynamo as dynamo\n")
    .replace('"aot_eager"', "sys.argv[1]")
    .replace("loss = ", "for k in range(4):\n    net.zero_grad()\n    loss = ")
    .replace("torch.ones(3, 4)", "torch.ones(3, 4) * k")
    .replace("loss.backward()", "    loss.backward()")
) + """
for name in ("frames", "stats", "graph_break", "aot_autograd", "inductor"):
    print(name, dict(dynamo.utils.counters[name]))
print(grads)
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a compiler of C++")
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_a_script_compiles_from_an_empty_cache_as_without_us(backend: str, tmp_path: Path) -> None:
    """Each run has an empty cache of its own; a third one finds that of the second."""
    (tmp_path / "script.py").write_text(COMMAND)
    printed, opened = [], []
    ours = "-m", "inspector", *QUICK
    for cache, options in (("plain", ()), ("ours", ours), ("ours", ours)):
        env = os.environ | {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path / cache)}
        command = [sys.executable, *options, "script.py", backend]
        ran = subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600, check=False
        )
        assert ran.returncode == 0, ran.stderr
        printed.append(ran.stdout.splitlines())
        if options:
            nodes = valid_report(tmp_path / OUTPUT / "report.json")["backward_calls"][0]["graph"]["nodes"]
            opened.append([node["compiled"] for node in nodes if "compiled" in node])
    plain, cold, warm = printed
    assert cold == plain and warm[-1] == plain[-1]
    lines = [{operation["source"]["code"] for operation in part["operations"]} for part in opened[0]]
    assert lines == [{"return self.outer(h)"}, {"h = torch.tanh(self.inner[0](x))"}]
    if backend == "inductor":
        assert "cache_hit" in warm[-2] and all("from its cache" in part["unknown"] for part in opened[1])
    else:
        assert opened[1] == opened[0]


@pytest.mark.parametrize(
    ("key", "row"), [("inputs", 0), ("receives", 1), ("returns", 1)], ids=["inputs", "receives", "returns"]
)
def test_a_report_names_operations_that_there_are(key: str, row: int) -> None:
    operation = {"name": "neg", "inputs": [row] if key == "inputs" else [], "module": None, "source": None}
    part = {"operations": [operation], "receives": [0], "returns": [0, None]}
    node = {"kind": "function", "id": "n0", "saved": [], "compiled": part}
    graph: dict[str, Any] = {"nodes": [node], "edges": [], "roots": [], "steps": []}
    if key != "inputs":
        check_links(graph)
        part[key] = [row]
    with pytest.raises(Mismatch, match="no operation"):
        check_links(graph)


@pytest.mark.parametrize(
    ("modules", "leaves", "named"),
    [
        (["fn.1", "fn.0", "fn", None], ["net.1.bias", "net.0.bias"], ["net.1", "net.0", "net", None]),
        (["1", "", "0.up"], ["net.1.bias", "net.weight", "net.0.up.weight"], ["net.1", "net", "net.0.up"]),
        (["model.0", "other.0"], ["model.0.weight"], ["model.0", "other.0"]),
        (["m.0", "m.1"], ["one.0.weight", "two.1.weight"], ["m.0", "m.1"]),
        (["fn.0"], ["weight"], ["fn.0"]),
    ],
    ids=["variable", "module itself", "as they are", "no one name", "no module"],
)
def test_modules_have_the_paths_of_the_script(
    modules: list[str | None], leaves: list[str], named: list[str | None]
) -> None:
    operations: Any = [{"name": "mm", "inputs": [], "module": path, "source": None} for path in modules]
    part: Any = {"operations": operations, "receives": [0], "returns": list(range(len(leaves)))}
    found: Any = with_script_paths(part, enumerate(leaves))
    assert [operation["module"] for operation in found["operations"]] == named
