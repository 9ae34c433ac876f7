"""What backward was given, what hooks changed, and what became of the grad of a leaf: numbers are torch's."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from running import ScriptRunner
from torch import nn
from torch.utils.checkpoint import checkpoint

import inspector
from inspector.graph import Graph
from inspector.graph.hook_changes import hook_changes
from inspector.styles.subject import Subject
from inspector.styles.title_and_legend import notes
from inspector.terminal.derivation_text import derivation_lines
from inspector.terminal.tensor_table import tensor_table


def recorded(program: Callable[[], Any]) -> Graph:
    with inspector.record() as recording:
        program()
    assert recording.failure is None
    graph: Graph = recording.calls[-1].graph
    return graph


def changes(graph: Graph) -> dict[str, tuple[Any, Any]]:
    return {str(graph.tensor(item.tensor)["name"]): (item.sent, item.arrived) for item in hook_changes(graph)}


def printed(graph: Graph) -> str:
    return "\n".join(line.plain for line in derivation_lines(graph, 100))


def reasons(graph: Graph) -> str:
    return "\n".join(line.plain for line in tensor_table(graph, 100) if "None: " in line.plain)


def noted(graph: Graph) -> list[str]:
    return [text.text for text in notes(Subject(graph, "after"))]


def scalar(number: float, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.tensor(number, dtype=dtype, requires_grad=True)


# The gradient that backward was given


def test_the_gradient_that_was_given_is_no_derivative() -> None:
    x = scalar(3.0)

    def program() -> None:
        z = x**2
        z.backward(torch.tensor(4.0))

    graph = recorded(program)
    (root,) = graph.roots
    assert graph.tensor(root)["seed"] == graph.tensor(root)["gradient"] == 4.0
    assert x.grad is not None and float(x.grad) == 24.0
    assert "given 4" in printed(graph) and "∂z/∂z" not in printed(graph)
    assert noted(graph) == ["backward was given a gradient of 4 for z"]


def test_the_usual_gradient_of_one_is_not_mentioned() -> None:
    x = scalar(3.0)

    def program() -> None:
        z = x**2
        z.backward()

    graph = recorded(program)
    assert "seed" not in graph.tensor(graph.roots[0])
    assert "∂z/∂z = 1" in printed(graph) and noted(graph) == [] and hook_changes(graph) == []


def test_the_gradients_given_to_several_roots() -> None:
    x = scalar(3.0)

    def program() -> None:
        a, b = x * 2, x * 3
        torch.autograd.backward([a, b], [torch.tensor(10.0), torch.tensor(1.0)])

    graph = recorded(program)
    assert [graph.tensor(root).get("seed") for root in graph.roots] == [10.0, None]
    assert x.grad is not None and float(x.grad) == 23.0 and hook_changes(graph) == []


def test_the_gradient_given_to_autograd_grad_and_to_a_vector() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    graph = recorded(lambda: torch.autograd.grad(x * 3, x, torch.tensor([1.0, 5.0])))
    assert graph.tensor(graph.roots[0])["seed"] == [1.0, 5.0]


def test_the_scale_of_a_grad_scaler_is_divided_out_of_it() -> None:
    from inspector.graph.grad_scale import without_grad_scale

    x = scalar(3.0)
    graph = without_grad_scale(recorded(lambda: (x * 2).backward(torch.tensor(8.0))), 4.0)
    assert graph.tensor(graph.roots[0])["seed"] == 2.0


# Hooks


def test_a_hook_on_the_root() -> None:
    x = scalar(3.0)

    def program() -> None:
        z = x**2
        z.register_hook(lambda g: g * 5)
        z.backward()

    graph = recorded(program)
    assert changes(graph) == {"z": (1.0, 5.0)}
    assert x.grad is not None and float(x.grad) == 30.0
    assert "∂z/∂z = 1    → 5" in printed(graph)
    assert "a hook changed the gradient of z: 1 → 5" in printed(graph)
    assert noted(graph) == ["a hook changed the gradient of z: 1 → 5"]


def test_a_hook_on_a_sum() -> None:
    x = scalar(3.0)

    def program() -> None:
        h = x * 2
        h.register_hook(lambda g: g * 10)
        z = h**2 + h
        z.backward()

    graph = recorded(program)
    assert changes(graph) == {"h": (13.0, 130.0)}
    assert "a hook changed the gradient of h: 13 → 130" in printed(graph)
    (function,) = [item.function for item in hook_changes(graph)]
    assert Subject(graph, "after").sum_text(function) == "1 + 12 → 130"


def test_a_hook_on_a_leaf_and_a_prehook_of_its_node() -> None:
    x, y = scalar(3.0), scalar(2.0)

    def program() -> None:
        x.register_hook(lambda g: g + 1)
        h = y * 3
        h.grad_fn.register_prehook(lambda gradients: (gradients[0] * 2,))
        z = x * 2 + x**2 + h
        z.backward()

    graph = recorded(program)
    assert changes(graph) == {"x": (8.0, 9.0), "h": (1.0, 2.0)}
    assert x.grad is not None and y.grad is not None and (float(x.grad), float(y.grad)) == (9.0, 6.0)


def test_a_hook_that_only_looks() -> None:
    x, seen = scalar(3.0), []

    def program() -> None:
        h = x * 2
        h.register_hook(lambda g: seen.append(float(g)))
        (h**2 + h).backward()

    assert hook_changes(recorded(program)) == [] and seen == [13.0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_rounding_is_no_hook(dtype: torch.dtype) -> None:
    x = scalar(0.3, dtype)

    def program() -> None:
        total = x * 1.1
        for k in range(2, 9):
            total = total + x * (1.1 * k) - x.sin() * k
        total.backward()

    assert hook_changes(recorded(program)) == []


def test_nan_is_no_hook() -> None:
    x = scalar(0.0)
    assert hook_changes(recorded(lambda: (x.sqrt() * 0 + x.log()).backward())) == []


def test_a_root_that_is_used_by_another_root() -> None:
    x = scalar(3.0)

    def program() -> None:
        a = x * 2
        b = a**2
        torch.autograd.backward([a, b])

    graph = recorded(program)
    assert hook_changes(graph) == [] and x.grad is not None and float(x.grad) == 26.0


def vector(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, requires_grad=True)


def test_a_hook_that_clips_a_vector() -> None:
    w = vector(1.0, 3.0)

    def program() -> None:
        w.register_hook(lambda g: g.clamp(-1, 1))
        (w * w).sum().backward()

    graph = recorded(program)
    assert changes(graph) == {"w": ([2.0, 6.0], [1.0, 1.0])}
    assert w.grad is not None and w.grad.tolist() == [1.0, 1.0]
    assert "a hook changed the gradient of w: [2, 6] → [1, 1]" in printed(graph)
    assert "a hook changed the gradient of w: [2, 6] → [1, 1]" in noted(graph)


def test_a_hook_on_a_large_weight_and_one_on_what_it_makes() -> None:
    layer = nn.Linear(8, 8, bias=False)

    def program() -> None:
        layer.weight.register_hook(lambda g: g / 4)
        hidden = layer(torch.ones(3, 8))
        hidden.register_hook(lambda g: g * 2)
        hidden.tanh().sum().backward()

    graph = recorded(program)
    found = changes(graph)
    assert found.keys() == {"weight", "hidden"}
    (before, after), (sent, arrived) = found["weight"], found["hidden"]
    assert layer.weight.grad is not None and after["norm"] == pytest.approx(float(layer.weight.grad.norm()))
    assert before["norm"] == pytest.approx(4 * after["norm"])
    assert arrived["norm"] == pytest.approx(2 * sent["norm"])
    assert "a hook changed the gradient of weight: norm" in printed(graph)


def test_of_hooks_on_all_parameters_a_figure_names_some() -> None:
    layers = nn.Sequential(*[nn.Linear(2, 2) for _ in range(5)])

    def program() -> None:
        for parameter in layers.parameters():
            parameter.register_hook(lambda g: g * 3)
        layers(torch.ones(1, 2)).sum().backward()

    graph = recorded(program)
    assert len(changes(graph)) == 10
    assert printed(graph).count("a hook changed the gradient of") == 6
    assert "hooks changed 4 more gradients" in printed(graph) and len(noted(graph)) == 4
    assert noted(graph)[0].startswith("a hook changed the gradient of 4.bias: [")
    assert noted(graph)[-1] == "hooks changed 7 more gradients"


@pytest.mark.parametrize(
    "program",
    [
        lambda w, big: (w * w + w.sin() - w).sum().backward(),
        lambda w, big: (big @ big + big.T).mean().backward(),
        lambda w, big: w.expand(4, 2).pow(2).sum().backward(),
        lambda w, big: (w.view(1, 2) * 2)[0].mul_(3).add_(1).sum().backward(),
        lambda w, big: torch.stack([*w.unbind(), *big[0]]).prod().backward(),
        lambda w, big: (big * 2).register_hook(lambda g: None) and big.sum().backward(),
        lambda w, big: (w.half() * 0.3).sum().backward(),
        lambda w, big: (w * torch.inf).sum().backward(),
        lambda w, big: torch.autograd.grad(w.pow(3).sum(), w, create_graph=True)[0].sum().backward(),
    ],
)
def test_sums_casts_and_views_are_no_hooks(program: Callable[..., Any]) -> None:
    torch.manual_seed(0)
    assert changes(recorded(lambda: program(vector(1.0, -2.0), torch.randn(4, 4, requires_grad=True)))) == {}


# Leaves without a grad


def test_a_leaf_that_was_frozen_after_the_forward() -> None:
    w, v = scalar(2.0), scalar(3.0)

    def program() -> None:
        a = w * v
        w.requires_grad_(False)
        a.backward()

    graph = recorded(program)
    shown = {row["name"]: row["requires_grad"] for _, row in graph.tensors()}
    assert shown == {"a": True, "w": w.requires_grad, "v": v.requires_grad} == {"a": True, "w": False, "v": True}
    functions = {row["name"]: row for _, row in graph.functions()}
    assert functions["MulBackward0"]["requires_grad"] and w.grad is None
    assert "w.grad  None: requires_grad was turned off after the forward" in reasons(graph)


def test_parameters_that_were_frozen_after_the_forward() -> None:
    model = nn.Linear(2, 1)

    def program() -> None:
        out = model(torch.ones(1, 2)).sum()
        model.requires_grad_(False)
        out.backward()

    graph = recorded(program)
    leaves = [row for _, row in graph.tensors() if row["is_leaf"] and row["name"]]
    assert len(leaves) == 2 and not any(row["requires_grad"] for row in leaves)


def test_parameters_that_were_thawed_after_the_forward() -> None:
    """The graph has no way to them: it was made while they were frozen."""
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    model[0].requires_grad_(False)

    def program() -> None:
        out = model(torch.ones(1, 2)).sum()
        model[0].requires_grad_(True)
        out.backward()

    graph = recorded(program)
    held = {row["name"] for _, row in graph.tensors() if row["is_leaf"] and row["requires_grad"]}
    assert held == {"2.weight", "2.bias"} and model[0].weight.grad is None


def test_rows_of_a_jacobian_that_are_computed_at_once() -> None:
    x, kept = torch.tensor([1.0, -2.0, 3.0], requires_grad=True), []

    def program() -> None:
        y = torch.stack([x.sum(), (x * x).sum(), x.prod()])
        kept.extend(torch.autograd.grad(y, x, torch.eye(3), is_grads_batched=True))

    graph = recorded(program)
    (leaf,) = (row for _, row in graph.tensors() if row["name"] == "x")
    assert leaf["gradient"] == kept[0].tolist() == [[1, 1, 1], [2, -4, 6], [-6, 3, -2]]
    assert changes(graph) == {}


def test_a_gradient_that_was_given_to_a_vector_twice() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)

    def program() -> None:
        y = x**2
        y.retain_grad()
        y.backward(torch.tensor([2.0, 0.5]), retain_graph=True)
        y.backward(torch.tensor([1.0, 1.0]))

    graph = recorded(program)
    (root,) = (graph.tensor(root) for root in graph.roots)
    assert root["seed"] == [1.0, 1.0]
    assert (root["before"]["grad"], root["after"]["grad"]) == ([2.0, 0.5], [3.0, 1.5])
    assert x.grad is not None and x.grad.tolist() == [6.0, 6.0] and changes(graph) == {}


def test_a_grad_that_a_hook_took_away() -> None:
    w = torch.tensor([1.0, 2.0], requires_grad=True)

    def step(parameter: torch.Tensor) -> None:
        parameter.grad = None

    w.register_post_accumulate_grad_hook(step)
    graph = recorded(lambda: (w * 3).sum().backward())
    assert w.grad is None and "w.grad  None: backward stored it, and a hook set it to None" in reasons(graph)


def test_a_gradient_that_was_returned_and_not_stored() -> None:
    x = scalar(3.0)
    graph = recorded(lambda: torch.autograd.grad(x**2, x))
    assert x.grad is None and "None: its gradient was computed, not stored" in reasons(graph)


# Compiled autograd, and Nodes of torch that return None


def test_compiled_autograd_says_why_nothing_is_known(inspect_script: ScriptRunner) -> None:
    ran = inspect_script(
        """
        import torch
        from torch._dynamo import compiled_autograd
        w = torch.tensor([1.0, 2.0], requires_grad=True)
        with compiled_autograd._enable(lambda graph: torch.compile(graph, backend="eager")):
            z = (w * 3).sin().sum()
            z.backward()
        print(w.grad)
        """
    )
    text = json.dumps(ran.nodes)
    assert ran.status == 0 and "tensor([" in ran.stdout
    assert "gradients are unknown  compiled autograd ran backward" in ran.stderr
    assert "compiled autograd ran backward" in text and "the engine did not run it" not in text


def test_the_advice_for_a_function_of_torchs_is_not_to_change_it() -> None:
    a, b = (torch.randn(3, requires_grad=True) for _ in range(2))

    def program() -> None:
        optimizer = torch.optim.SGD([a, b], lr=0.1)
        checkpoint(lambda x, y: x.sin(), a * 2, b * 2, use_reentrant=True).sum().backward()
        optimizer.step()

    with inspector.record() as recording:
        program()
    (found,) = [finding for finding in recording.findings if finding.rule == "blocked-gradient"]
    assert found.parameters == ["b"]
    assert found.advice == "use input 1 in the checkpointed function, or pass use_reentrant=False to checkpoint()"


def test_a_function_of_which_one_output_is_used_may_return_none() -> None:
    class Both(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            ctx.set_materialize_grads(False)
            return x * 2, y * 2

        @staticmethod
        def backward(ctx: Any, one: torch.Tensor | None, other: torch.Tensor | None) -> Any:
            return tuple(None if gradient is None else gradient * 2 for gradient in (one, other))

    x, y = scalar(1.0), scalar(2.0)
    with inspector.record() as recording:
        Both.apply(x, y)[0].backward()
    assert [finding.rule for finding in recording.findings if finding.severity != "note"] == []
