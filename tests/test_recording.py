"""A recording of whole models changes nothing and is true: torch is the oracle, by hooks and a dispatch mode."""

from __future__ import annotations

import linecache
import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networks
import pytest
import torch
from networks import NETWORKS, Network, made
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import inspector
from inspector.graph.value_norms import value_norm
from inspector.recording.gradient_hooks import GradientCapture
from inspector.tensor_stats import Batch

MODES = ("full", "light", "none")


def walked(root: torch.Tensor) -> list[Any]:
    """The Nodes under a root in pre-order by slot, as ids number them."""
    order: dict[Any, None] = {}
    waiting = [root.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in order:
            order[node] = None
            waiting += [target for target, _ in reversed(node.next_functions)]
    return list(order)


def gradients(network: Network) -> list[torch.Tensor]:
    """The loss and the gradients of one step, from the same random numbers each time."""
    torch.manual_seed(3)
    network.model.zero_grad()
    loss = network.loss()
    loss.backward()
    return [loss.detach(), *(item.grad.clone() for item in network.model.parameters() if item.grad is not None)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_bitwise_the_same(name: str, mode: Any) -> None:
    plain = gradients(made(name))
    network = made(name)
    with inspector.record(watch=2, mode=mode) as recording:
        found = [gradients(network) for _ in range(2)]
    assert recording.failure is None and len(recording.calls) == 2
    if name != "resnet":  # whose batch norm is another in the second step
        assert all(map(torch.equal, plain, found[1]))
    assert len(plain) == len(found[0]) > 4
    assert all(map(torch.equal, plain, found[0]))
    assert len(gradients(network)) == len(plain)


GALLERY = Path(__file__).parent.parent / "gallery"
SEEDS = ["square", "polynomial", "product", "saddle", "saddle_origin"]
SCRIPTS = [*SEEDS, "baydin", "classifier", "lstm", "regression"]


def grads_of(script: str) -> dict[str, tuple[torch.Tensor, torch.Tensor | None]]:
    """Every leaf of a gallery script by the name that the script gives it, and its grad, after running it here."""
    torch.manual_seed(0)
    variables = runpy.run_path(str(GALLERY / f"{script}.py"))
    found = {}
    for name, value in variables.items():
        tensors = dict(value.named_parameters()) if isinstance(value, torch.nn.Module) else {"": value}
        for path, tensor in tensors.items():
            if isinstance(tensor, torch.Tensor) and tensor.requires_grad and tensor.is_leaf:
                found[f"{name} {path}"] = (tensor.detach(), tensor.grad)
    return found


@pytest.mark.parametrize("mode", ["full", "light", "none"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_get_the_same_gradients_bit_by_bit(script: str, mode: Any) -> None:
    plain = grads_of(script)
    with inspector.record(mode=mode) as recording:
        recorded = grads_of(script)
    assert recording.failure is None and recording.calls
    assert plain.keys() == recorded.keys() and any(grad is not None for _, grad in plain.values())
    for name, (data, grad) in plain.items():
        its_data, its_grad = recorded[name]
        assert torch.equal(data, its_data) and (grad is None) == (its_grad is None)
        if grad is not None and its_grad is not None:
            assert torch.equal(grad, its_grad) and grad.stride() == its_grad.stride()


@pytest.mark.parametrize("name", NETWORKS)
def test_steps_and_what_flows_are_those_of_the_engine(name: str) -> None:
    network = made(name)
    steps, arrived, left = [], {}, {}
    with inspector.record() as recording:
        torch.manual_seed(3)
        loss = network.loss()
        nodes = walked(loss)
        handles = []
        for position, node in enumerate(nodes):

            def before(incoming: Any, position: int = position) -> None:
                steps.append(f"n{position}")
                arrived[f"n{position}"] = [None if item is None else item.clone() for item in incoming]

            def after(outgoing: Any, incoming: Any, position: int = position) -> None:
                left[f"n{position}"] = [None if item is None else item.clone() for item in outgoing]

            handles += [node.register_prehook(before), node.register_hook(after)]
        loss.backward()
        for handle in handles:
            handle.remove()
    graph = recording.calls[0].graph
    assert recording.failure is None
    assert graph.steps == steps
    into: dict[tuple[str, int], list[torch.Tensor]] = {}
    for source, target, edge in graph.edges("next"):
        went = left[source][edge["slot"]]
        assert value_norm(edge["gradient"]) == (
            None if went is None else pytest.approx(float(went.norm()), rel=1e-4)
        )
        if went is not None:
            into.setdefault((target, edge["input_nr"]), []).append(went)
    for identifier, function in graph.functions():
        values = function["gradient"] if len(arrived[identifier]) > 1 else [function["gradient"]]
        for number, (value, tensor) in enumerate(zip(values, arrived[identifier], strict=True)):
            assert value_norm(value) == (None if tensor is None else pytest.approx(float(tensor.norm()), rel=1e-4))
            if (identifier, number) in into:
                assert torch.allclose(sum(into[identifier, number]), tensor)  # type: ignore[arg-type]


def test_nearly_all_functions_of_a_gpt_have_a_value() -> None:
    network = made("gpt")
    with inspector.record() as recording:
        network.loss().backward()
    rows = [row for _, row in recording.calls[0].graph.functions()]
    known = [row for row in rows if value_norm(row["before"]["data"]) is not None]
    assert len(rows) > 100 and len(known) >= 0.95 * len(rows)


class Watcher(TorchDispatchMode):
    """Who made the Node with which number, by the frames that stand when torch dispatches its operation."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.paths = {module: path for path, module in model.named_modules()}
        self.lines: dict[int, tuple[str, int]] = {}
        self.modules: dict[int, str | None] = {}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        number = torch._C._autograd._get_sequence_nr() - 1
        if number not in self.lines:
            frame, line, module = sys._getframe(1), None, None
            while frame is not None and (line is None or module is None):
                path = frame.f_code.co_filename
                if line is None and path in _FILES:
                    line = (Path(path).name, frame.f_lineno)
                if module is None and frame.f_code is nn.Module._call_impl.__code__:
                    module = self.paths[frame.f_locals["self"]]
                frame = frame.f_back  # type: ignore[assignment]
            assert line is not None
            self.lines[number], self.modules[number] = line, module
        return function(*args, **(kwargs or {}))


_FILES = {__file__, networks.__file__}


@pytest.mark.parametrize("mode", ["full", "light"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_function_has_its_line_and_its_module(name: str, mode: Any) -> None:
    network = made(name)
    watcher = Watcher(network.model)
    with watcher:
        loss = network.loss()
    nodes = walked(loss)
    expected = [
        (node.name(), watcher.lines[node._sequence_nr()], watcher.modules[node._sequence_nr()])
        for node in nodes
        if "AccumulateGrad" not in node.name()
    ]
    with inspector.record(mode=mode) as recording:
        network.loss().backward()
    found = [
        (row["name"], (Path(row["source"]["file"]).name, row["source"]["line"]), row["module"])
        for _, row in recording.calls[0].graph.functions()
        if row["name"] != "AccumulateGrad"
    ]
    assert found == expected


CELL = """
def steps(x):
    for factor in (1, 2):
        yield x * factor

scale = lambda t: t.sin()
y = sum(scale(step) for step in steps(x))
z = (y
     + x.exp()).sum()
"""


@pytest.mark.parametrize("mode", ["full", "light"])
def test_cells_generators_and_lambdas(mode: Any) -> None:
    path = "<ipython-input-7-abc>"
    linecache.cache[path] = (len(CELL), None, CELL.splitlines(keepends=True), path)
    scope: dict[str, Any] = {"x": torch.rand(3, requires_grad=True)}
    try:
        with inspector.record(mode=mode) as recording:
            exec(compile(CELL, path, "exec"), scope)
            scope["z"].backward()
        rows = [row for _, row in recording.calls[0].graph.functions() if row["name"] != "AccumulateGrad"]
        lines = [(row["name"], row["source"]["file"], row["source"]["line"]) for row in rows]
    finally:
        del linecache.cache[path]
    assert set(lines) == {
        ("SumBackward0", path, 9), ("AddBackward0", path, 8), ("AddBackward0", path, 7), ("ExpBackward0", path, 9),
        ("SinBackward0", path, 6), ("MulBackward0", path, 4),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("owner", "method"),
    [*((GradientCapture, name) for name in ("captured", "install", "remove")), (Batch, "flowing")],
)
def test_an_error_of_ours_is_not_the_scripts(owner: type, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = gradients(made("shared"))

    def raises(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("ours")

    network = made("shared")
    x = torch.rand(2, requires_grad=True)
    with inspector.record(watch=5) as recording:
        real: Callable[..., Any] = getattr(owner, method)
        monkeypatch.setattr(owner, method, raises)
        found = gradients(network)
        (gradient,) = torch.autograd.grad((x * 3).sum(), x)
        monkeypatch.setattr(owner, method, real)
    assert all(map(torch.equal, plain, found))
    assert gradient.tolist() == [3.0, 3.0]
    assert recording.failure is not None and "ZeroDivisionError: ours" in recording.failure
    assert all(map(torch.equal, gradients(network), plain))


@pytest.mark.filterwarnings("ignore:Sparse")
def test_a_leaf_of_compressed_rows() -> None:
    rows = torch.eye(4).to_sparse_csr().requires_grad_()
    a, b = (torch.rand(4, 4, requires_grad=True) for _ in range(2))
    plain = torch.autograd.grad(torch.sparse.sampled_addmm(rows, a, b).to_dense().sum(), [rows, a, b])
    with inspector.record() as recording:
        found = torch.autograd.grad(torch.sparse.sampled_addmm(rows, a, b).to_dense().sum(), [rows, a, b])
    assert recording.failure is None
    assert all(torch.equal(one.to_dense(), other.to_dense()) for one, other in zip(plain, found, strict=True))
    (row,) = [row for _, row in recording.calls[0].graph.tensors() if row["name"] == "a"]
    assert value_norm(row["gradient"]) == pytest.approx(float(found[1].norm()))


def test_a_root_that_a_library_has_computed_is_called_as_it_stands_in_the_line() -> None:
    w = torch.rand(3, requires_grad=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    with inspector.record(watch=2) as recording:
        loss = (w * 2).sum()
        scaler.scale(loss).backward()
        torch.autograd.backward(scaler.scale((w * 3).sum()))
    first, second = (call.graph[call.graph.roots[0]] for call in recording.calls)
    assert (first["name"], first["expression"]) == (None, "scaler.scale(loss)")
    assert second.get("expression") is None
