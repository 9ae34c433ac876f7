"""What saved tensors keep alive: torch's own storages are the oracle."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from needs import needs
from networks import NETWORKS, made
from reports import report_of
from torch import nn
from torch.utils.checkpoint import checkpoint

import inspector
from inspector.folding import fold
from inspector.graph import Graph
from inspector.graph.rows import Rows
from inspector.graph.saved_memory import saved_bytes, saved_memory
from inspector.report import to_json
from inspector.terminal.model_summary import summary_lines
from inspector.torch_api.saved_tensors import WRAPPERS
from inspector.typography import bytes_text


def nodes_of(root: torch.Tensor) -> list[Any]:
    """All Nodes under a root."""
    found: dict[Any, None] = {}
    waiting = [root.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in found:
            found[node] = None
            waiting += [target for target, _ in node.next_functions]
    return list(found)


def held_by(node: Any) -> list[torch.Tensor]:
    """The tensors in a Node's saved slots that no hook has packed."""
    raws = [getattr(node, name) for name in dir(node) if name.startswith("_raw_saved_")]
    flat = [raw for item in raws for raw in (item if isinstance(item, tuple) else (item,))]
    data = [raw.data for raw in flat if raw.unpack_hook is None]
    return [item for item in data if isinstance(item, torch.Tensor)]


def by_torch(root: torch.Tensor, leaves: list[torch.Tensor]) -> int:
    """The bytes of the distinct storages in the saved slots of a graph, without those of `leaves`."""
    storages = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes()
        for node in nodes_of(root)
        for tensor in held_by(node)
    }
    for leaf in leaves:
        storages.pop(leaf.untyped_storage().data_ptr(), None)
    return sum(storages.values())


def total(graph: Graph) -> int:
    found = saved_memory(graph)
    assert found is not None
    assert found.total == sum(saved_bytes(function) for _, function in graph.functions())
    return found.total


@pytest.mark.parametrize("name", NETWORKS)
@needs(WRAPPERS)
def test_the_bytes_are_those_of_torch(name: str) -> None:
    network = made(name)
    loss = network.loss()
    expected = by_torch(loss, list(network.model.parameters()))
    assert expected > 0
    assert total(inspector.trace(loss)) == expected
    with inspector.record() as recording:
        network.loss().backward()
    found = saved_memory(recording.calls[0].graph)
    assert found is not None
    assert found.total == expected == sum(found.modules.values())
    assert set(found.modules) <= {*(f"{key}.*" for key in network.model._modules), *network.model._modules,
                                  "the model itself", "outside of modules"}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
@needs(WRAPPERS)
def test_boxes_add_up(name: str) -> None:
    graph = inspector.trace(made(name).loss())
    boxes = [row["saved_bytes"] for _, row in fold(graph, 1).network.nodes(data=True) if row["kind"] == "fold"]
    shown = sum(saved_bytes(row) for _, row in fold(graph, 1).functions())
    assert sum(boxes) + shown == total(graph)


@needs(WRAPPERS)
def test_a_saved_tensor_says_what_it_is() -> None:
    x, w = torch.rand(3, 4), torch.rand(4, 5, requires_grad=True)
    graph = inspector.trace((x @ w).exp().sum())
    (exp,) = [row for _, row in graph.functions() if row["name"] == "ExpBackward0"]
    assert exp["saved"] == [
        {"name": "result", "tensor": "t1", "before": "held", "after": "held", "shape": [3, 5], "dtype": "float32",
         "bytes": 60}
    ]  # fmt: skip
    (matmul,) = [row for _, row in graph.functions() if row["name"] == "MmBackward0"]
    assert {saved["name"]: saved.get("bytes") for saved in matmul["saved"]} == {"self": 48, "mat2": None}


@needs(WRAPPERS)
def test_what_shares_a_storage_counts_once_at_the_first_function() -> None:
    w = torch.rand(6, 6, requires_grad=True)
    h = w * 2
    root = (h.view(36).sin().sum() + h.t().cos().sum()) * h[0, 0].exp()
    graph = inspector.trace(root)
    sizes = [(row["name"], [saved["bytes"] for saved in row["saved"] if "bytes" in saved])
             for _, row in graph.functions() if row["saved"]]  # fmt: skip
    assert ("SinBackward0", [144]) in sizes and ("CosBackward0", [0]) in sizes
    assert total(graph) == by_torch(root, [w])


@needs(WRAPPERS)
def test_leaves_and_their_views_count_nothing() -> None:
    w = torch.rand(5, 5, requires_grad=True)
    frozen = nn.Linear(5, 5).requires_grad_(False)
    x = torch.rand(2, 5, requires_grad=True)
    assert total(inspector.trace((w * w).sum())) == 0
    assert total(inspector.trace(w.t().sin().sum())) == 0
    root = frozen(x).sum()
    assert total(inspector.trace(root)) == by_torch(root, [x, *frozen.parameters()]) == 0


@needs(WRAPPERS)
def test_what_a_hook_has_packed_is_not_known_and_not_unpacked() -> None:
    unpacked = []
    w = torch.rand(8, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: ("packed", t), lambda p: unpacked.append(p) or p[1]):
        packed = w.exp()
    root = (packed.sin() * 2).sum()
    found = saved_memory(inspector.trace(root))
    assert found is not None and found.packed == 1 and found.total == by_torch(root, [w])
    assert not unpacked
    (exp,) = [row for _, row in inspector.trace(root).functions() if row["name"] == "ExpBackward0"]
    assert exp["saved"] == [{"name": "result", "tensor": None, "before": "packed", "after": "packed"}]


@needs(WRAPPERS)
def test_a_checkpointed_block_keeps_what_is_not_known() -> None:
    runs = []
    block = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6))
    block.register_forward_pre_hook(lambda *_: runs.append(1))
    with inspector.record() as recording:
        root = checkpoint(block, torch.rand(2, 6), use_reentrant=False).exp().sum()
        expected = by_torch(root, list(block.parameters()))
        root.backward()
    found = saved_memory(recording.calls[0].graph)
    assert found is not None and found.total == expected == 48
    assert found.packed > 0 and len(runs) == 2


@needs(WRAPPERS)
def test_what_was_overwritten_is_alive_still() -> None:
    w = torch.rand(4, requires_grad=True)
    h = w * 2
    root = h.sin().sum()
    h.mul_(3)
    graph = inspector.trace(root)
    assert total(graph) == by_torch(root, [w]) == 16 + 8  # h, and the number 2
    (sin,) = [row for _, row in graph.functions() if row["name"] == "SinBackward0"]
    assert (sin["saved"][0]["before"], sin["saved"][0]["bytes"]) == ("modified", 16)


@pytest.mark.filterwarnings("ignore:Sparse")
@needs(WRAPPERS)
def test_sparse_and_other_layouts() -> None:
    w = torch.rand(3, 2, requires_grad=True)
    matrix = torch.eye(3).to_sparse()
    found = saved_memory(inspector.trace(torch.sparse.mm(matrix, w).sum()))
    assert found is not None and found.total == 2 * 3 * 8 + 3 * 4
    rows = torch.eye(3).to_sparse_csr()
    parts = [rows.crow_indices(), rows.col_indices(), rows.values()]
    found = saved_memory(inspector.trace((rows @ w).sum()))
    assert found is not None and found.total == sum(part.untyped_storage().nbytes() for part in parts)


@needs(WRAPPERS)
def test_a_tensor_class_that_wraps_others_keeps_its_memory_in_them() -> None:
    nested = torch.nested.nested_tensor([torch.rand(2, 3), torch.rand(4, 3)], layout=torch.jagged)
    w = torch.rand(3, 3, requires_grad=True)
    graph = inspector.trace((nested @ w).values().exp().sum())
    values, offsets = (one.untyped_storage().nbytes() for one in (nested.values(), nested.offsets()))
    assert total(graph) == 3 * values + offsets  # of the input, the product and exp; the offsets are shared


def test_nothing_saved_and_nothing_recorded() -> None:
    x = torch.rand(3, requires_grad=True)
    assert saved_memory(inspector.trace(x.sum() + 1)) is None
    with inspector.record(mode="light") as recording:
        network = made("gpt")
        network.loss().backward()
    assert saved_memory(recording.calls[0].graph) is None


@needs(WRAPPERS)
def test_after_backward_it_is_still_said() -> None:
    w = torch.rand(4, requires_grad=True)
    h = w.exp()
    z = h.sum()
    before = total(inspector.trace(z))
    z.backward()
    assert total(inspector.trace(z)) == before == 16  # remembered
    (exp,) = [row for _, row in inspector.trace(z).functions() if row["name"] == "ExpBackward0"]
    assert exp["saved"][0]["after"] == "released"


def test_the_report_and_the_terminal_say_it() -> None:
    network = made("gpt")
    with inspector.record() as recording:
        network.loss().backward()
    graph = recording.calls[0].graph
    found = saved_memory(graph)
    assert found is not None
    saved = json.loads(to_json(report_of(graph)))["backward_calls"][0]["saved"]
    assert saved["bytes"] == found.total and saved["packed"] == 0
    assert saved["modules"][0] == {"module": "blocks.*", "bytes": found.modules["blocks.*"]}
    assert [row["bytes"] for row in saved["modules"]] == sorted(found.modules.values(), reverse=True)
    text = "\n".join(line.plain for line in summary_lines(graph, 100))
    share = round(100 * found.modules["blocks.*"] / found.total)
    assert f"saved tensors hold {bytes_text(found.total)}: blocks.* {share}%" in text


@needs(WRAPPERS)
def test_the_terminal_says_what_a_hook_has_packed() -> None:
    w = torch.rand(8, requires_grad=True)
    with torch.autograd.graph.save_on_cpu():
        h = w.exp()
    text = "\n".join(line.plain for line in summary_lines(inspector.trace(F.relu(h).sum()), 100))
    assert "saved tensors hold 32 B, not counting 1 packed by hooks" in text


@pytest.mark.parametrize(
    ("path", "top"),
    [
        ("decoder.blocks.3.attn.query", "decoder.blocks.*"),
        ("decoder.norm", "decoder"),
        ("blocks.3", "blocks.*"),
        ("0.conv", "0"),
        ("", "the model itself"),
        (None, "outside of modules"),
        ({"unknown": "why"}, "modules not known"),
    ],
)
def test_modules_at_the_top(path: Any, top: str) -> None:
    saved = [{"name": "self", "tensor": None, "before": "held", "after": "held", "bytes": 8}]
    row = {"kind": "function", "name": "SinBackward0", "module": path, "saved": saved}
    rows = Rows()
    rows.add_node("n0", row)
    found = saved_memory(Graph(lambda: rows, roots=[]))
    assert found is not None and found.modules == {top: 8}


def test_bytes_in_words() -> None:
    found = [bytes_text(count) for count in (0, 1023, 1024, 1536, 1024**2 - 1, 13 * 1024**2, 5 * 1024**4)]
    assert found == ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "13.0 MiB", "5.0 TiB"]
