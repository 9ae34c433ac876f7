"""A failure in what the report can do without costs that, and nothing else: symbols, rules, tables, pictures."""

import textwrap

import pytest
import torch
from undisturbed import run_both

import inspector
from inspector.options import STYLE_NAMES

SCRIPTS = {
    "a-power-that-sympy-cannot-count": """
        y, z = torch.tensor(3.0, requires_grad=True), torch.tensor(2.0, requires_grad=True)
        f = torch.sqrt(y) ** (y - z) / y
        f.backward()
        """,
    "a-root-of-a-negative-number": """
        x, a = torch.tensor(0.5, requires_grad=True), torch.tensor(-2.0, requires_grad=True)
        f = torch.sqrt(x - x - 1) + a
        f.backward()
        """,
    "a-logarithm-of-a-negative-number": """
        x = torch.tensor(0.5, requires_grad=True)
        f = torch.log(x - 1) * x
        f.backward()
        """,
    "a-fractional-power-of-a-negative-number": """
        x = torch.tensor(-2.0, requires_grad=True)
        f = (x * x * x) ** 0.5 + x
        f.backward()
        """,
    "a-tower-of-powers": """
        x, y = torch.tensor(1.5, requires_grad=True), torch.tensor(0.7, requires_grad=True)
        f = ((x ** y) ** (y - x)) ** (x / y) / torch.sqrt(x ** (y - 1))
        f.backward()
        """,
    "a-division-by-zero": """
        x = torch.tensor(2.0, requires_grad=True)
        f = (x - x) / (x - 2) + x ** (x - 2)
        f.backward()
        """,
    "attributes-of-ctx": """
        for attribute in ("name", "register_hook", "register_prehook", "_sequence_nr", "_register_hook_dict",
                          "variable", "shape", "saved", "is_leaf", "module", "dtype", "needs_input_grad"):
            class Scale(torch.autograd.Function):
                @staticmethod
                def forward(ctx, x):
                    setattr(ctx, attribute, x.detach() if attribute == "variable" else "mine")
                    return x * 2
                @staticmethod
                def backward(ctx, gradient):
                    return gradient * 2
            x = torch.tensor([1.0, 2.0], requires_grad=True)
            Scale.apply(x).sum().backward()
            print(attribute, x.grad)
        """,
    "strided-nested": """
        a, b = torch.randn(2, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
        nested = torch.nested.as_nested_tensor([a, b])
        out = torch.nn.Linear(3, 2)(nested)
        out = out * 2 + out
        torch.nested.to_padded_tensor(out.relu(), 0.0).pow(2).sum().backward()
        print(a.grad is not None)
        """,
    "jagged-nested": """
        a, b = torch.randn(2, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
        nested = torch.nested.as_nested_tensor([a, b], layout=torch.jagged)
        out = torch.nn.Linear(3, 2)(nested) * 2
        out.values().pow(2).sum().backward()
        print(a.grad is not None)
        """,
    "nested-leaf": """
        leaf = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], requires_grad=True)
        torch.nested.to_padded_tensor(leaf * leaf, 0.0).sum().backward()
        print(leaf.grad.is_nested, [part.tolist() for part in leaf.grad.unbind()])
        """,
    "nested-and-detached": """
        nested = torch.nested.nested_tensor([torch.ones(2, 2), torch.ones(3, 2)])
        weight = torch.ones(2, 2, requires_grad=True)
        out = torch.nn.functional.linear(nested, weight)
        print([part.sum().item() for part in out.detach().unbind()])
        with torch.no_grad():
            print(out.clone().mul_(2).is_nested)
        sum(part.sum() for part in out.unbind()).backward()
        print(weight.grad)
        """,
    "jagged-attention": """
        q, k, v = (torch.nn.Linear(8, 16) for _ in range(3))
        nested = torch.nested.nested_tensor([torch.randn(n, 8) for n in (3, 5, 2)], layout=torch.jagged)
        heads = [layer(nested).unflatten(-1, (2, 8)).transpose(1, 2) for layer in (q, k, v)]
        out = torch.nn.functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(-2)
        out.values().pow(2).mean().backward()
        print(q.weight.grad.norm(), out.offsets().tolist())
        """,
    "complex-numbers-of-a-signal": """
        w = torch.randn(4, dtype=torch.complex64, requires_grad=True)
        s = torch.tensor(0.3 + 0.4j, requires_grad=True)
        z = s**0.5 * torch.log(s) + torch.fft.ifft(torch.fft.fft(w) * s).sum()
        ((z * z.conj()).real + torch.view_as_real(w).pow(2).sum() + s.abs() + torch.angle(s)).backward()
        print(w.grad, s.grad)
        """,
    "a-formula-that-grows": """
        x, y = torch.tensor(0.3, requires_grad=True), torch.tensor(-1.7, requires_grad=True)
        f = x
        for _ in range(8):
            f = torch.sin(f * y) ** 2 + torch.exp(-f.abs()) / (1 + f * f) - torch.atan2(f, y)
        (f + torch.lgamma(x + 3) + torch.erfinv(x) + torch.special.i1(x) + torch.polygamma(2, x + 2)).backward()
        print(x.grad, y.grad)
        """,
    "what-has-no-ordinary-elements": """
        embedding, empty = torch.nn.Embedding(5, 3), torch.zeros(0, 3, requires_grad=True)
        x = embedding(torch.tensor([[2**40 % 5, 1]])).masked_fill(torch.tensor([[[True], [False]]]), -torch.inf)
        finite = torch.where(torch.isinf(x), torch.zeros(()), x).sum()
        (finite + empty.sum() + torch.empty(0).sum() + x[..., :0].mean(0).sum()).backward()
        print(embedding.weight.grad, empty.grad.shape)
        """,
    "several-outputs": """
        x = (torch.randn(3, 3) + 5 * torch.eye(3)).requires_grad_()
        (torch.logdet(x) + torch.linalg.svd(x)[1][0] + torch.linalg.qr(x).R[0, 0]).backward()
        """,
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_report_is_there(inspect_script, script):
    ran = run_both(inspect_script, "import torch\ntorch.manual_seed(0)\n" + textwrap.dedent(SCRIPTS[script]))
    assert len(ran.calls) >= 1
    assert not ran.report["recording"].get("remarks"), ran.report["recording"]["remarks"]


def test_a_number_without_a_symbol_is_shown(inspect_script):
    """sympy has no real expression for the root of a negative number; torch has a number for each edge."""
    code = "import torch\n" + textwrap.dedent(SCRIPTS["a-root-of-a-negative-number"])
    ran = run_both(inspect_script, code)
    assert ran.tensor("a")["after"]["grad"] == 1.0 and ran.tensor("x")["after"]["grad"] == "nan"


@pytest.mark.parametrize("style", [style for style in STYLE_NAMES if style != "torchviz"])
def test_every_style_draws_a_function_of_which_one_output_is_known(style):
    x = (torch.randn(3, 3) + 5 * torch.eye(3)).requires_grad_()
    with inspector.record() as recording:
        loss = torch.logdet(x) + torch.linalg.svd(x)[1][0]
        loss.backward()
    assert inspector.draw(recording.calls[0].graph, style=style).svg()


def test_symbols_that_fail(monkeypatch):
    def fail(graph):
        raise RecursionError("too deep")

    monkeypatch.setattr("inspector.derivatives.edge_derivatives.add_textbook_forms", fail)
    x = torch.tensor(2.0, requires_grad=True)
    with inspector.record() as recording:
        (x * x).backward()
    recording.calls[0].graph.make()
    (remark,) = recording.report().recording["remarks"]
    assert remark.startswith("derivatives in symbols are no longer recorded: internal error, RecursionError")
    assert recording.calls[0].graph.at("after")


def test_symbols_that_fail_in_a_trace(monkeypatch, capsys):
    def fail(graph):
        raise RecursionError("too deep")

    monkeypatch.setattr("inspector.derivatives.add_local_derivatives", fail)
    x = torch.tensor(2.0, requires_grad=True)
    graph = inspector.trace(x * x)
    assert len(list(graph.functions())) == 2
    remark = "derivatives in symbols are unknown: internal error, RecursionError: too deep"
    assert remark in capsys.readouterr().err


@pytest.mark.parametrize("part", ["parameters", "modules"])
def test_an_inventory_that_fails(monkeypatch, part):
    from inspector.recording.training.parameter_inventory import ModuleInventory

    def fail(self):
        raise KeyError("gone")

    monkeypatch.setattr(ModuleInventory, part, fail)
    model = torch.nn.Linear(2, 1)
    with inspector.record() as recording:
        model(torch.ones(3, 2)).sum().backward()
    report = recording.report()
    assert len(report.calls) == 1 and "KeyError" in report.recording["remarks"][0]
