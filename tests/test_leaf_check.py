"""`--check` and `--gradcheck`: three ways to a derivative, and custom Functions at their live inputs."""

import math

import pytest
import torch

import inspector
from inspector.derivatives.finite_differences import Evaluation, NotEvaluable
from inspector.derivatives.forward_reconstruction import ForwardReconstruction
from inspector.derivatives.leaf_check import check_derivatives
from inspector.derivatives.total_derivative import root_pair
from inspector.recording.gradcheck import CustomFunctions, rows_of
from inspector.report import Check
from inspector.terminal.check_tables import check_lines, gradcheck_lines
from inspector.user_code.paths import UserFiles

FUNCTIONS = """
import torch

class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.save_for_backward(x)
        ctx.factor = factor
        return factor * x**3

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return FACTOR * ctx.factor * x**2 * gradient, None

x = torch.tensor(2.0, requires_grad=True)
z = Cube.apply(x, 5)
z.backward()
print(torch.rand(1).item())
"""
RIGHT, WRONG = FUNCTIONS.replace("FACTOR", "3"), FUNCTIONS.replace("FACTOR", "2")


def leaf(value, dtype=torch.float32):
    return torch.tensor(value, dtype=dtype, requires_grad=True)


def graph_of(root):
    with inspector.record() as recording:
        root().backward()
    assert recording.failure is None
    return recording.calls[0].graph


def text(lines):
    return "\n".join(line.plain for line in lines)


def test_three_ways_agree():
    x, y = leaf(2.0), leaf(0.5)
    graph = graph_of(lambda: (x**2 - y.exp() * x + 1).tanh() / y)
    rows = {graph[row.leaf]["name"]: row for row in check_derivatives(graph)}
    for name, tensor in (("x", x), ("y", y)):
        row, grad = rows[name], tensor.grad.item()
        assert row.agrees is True and row.remark == ""
        for way in (row.rules, row.autograd, row.differences):
            assert way.tolist() == pytest.approx(grad, rel=1e-4)


def test_small_tensors_with_products_and_choices():
    matrix = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    v, w = leaf([1.0, 2.0]), leaf(0.3)
    graph = graph_of(lambda: ((matrix @ v) ** 2).sum() + v[0] * w + torch.stack([w, w * 2]).mean())
    rows = check_derivatives(graph)
    assert [row.agrees for row in rows] == [True, True]
    (of_v,) = [row for row in rows if graph[row.leaf]["name"] == "v"]
    assert of_v.differences.tolist() == pytest.approx(v.grad.tolist(), rel=1e-4)


def test_a_gradient_that_backward_started_with_counts():
    x = leaf(3.0)
    with inspector.record() as recording:
        z = x**2
        z.backward(torch.tensor(10.0))
    (row,) = check_derivatives(recording.calls[0].graph)
    assert row.agrees and row.differences.tolist() == pytest.approx(60.0)


def test_the_constants_that_torch_does_not_save_are_found():
    x = leaf(0.7, torch.float64)
    graph = graph_of(lambda: 3 / (1 - (x + 0.25) ** 2) + 2**x)
    forward = ForwardReconstruction(graph)
    ((_, pair),) = forward.leaves()
    evaluation = Evaluation(forward, root_pair(forward), pair)
    assert evaluation.along(0.1) == pytest.approx(3 / (1 - 0.35**2) + 2**0.1, rel=1e-12)


def test_at_a_kink_the_two_sides_are_told():
    x = leaf(0.0)
    graph = graph_of(lambda: torch.relu(x) * 2)
    (row,) = check_derivatives(graph)
    assert row.agrees is True and row.remark == "kink: slope 0 on the left, 2 on the right"
    assert "kink" in text(check_lines(graph, 100))


def test_a_hook_makes_a_difference_that_is_told():
    x = leaf(2.0)

    def root():
        y = x**2
        y.register_hook(lambda gradient: gradient * 10)
        return y * 3

    graph = graph_of(root)
    (row,) = check_derivatives(graph)
    assert row.agrees is False and (row.rules.tolist(), row.autograd.tolist()) == (12.0, 120.0)
    shown = text(check_lines(graph, 100))
    assert "differ" in shown and "a hook, a custom Function or an in-place write" in shown


def test_what_cannot_be_evaluated_has_a_line_that_says_so():
    m, x = leaf([[1.0, 2.0], [3.0, 4.0]]), leaf(2.0)
    graph = graph_of(lambda: torch.linalg.det(m) * x)
    rows = {graph[row.leaf]["name"]: row for row in check_derivatives(graph)}
    assert rows["m"].remark == "no finite differences: LinalgDetBackward0 is not an elementary function"
    assert (rows["m"].rules, rows["m"].agrees) == (None, None)
    assert rows["x"].agrees is True, "the determinant is a constant for x"


def test_large_leaves_and_other_roots():
    weight = torch.rand(20, 20, requires_grad=True)
    graph = graph_of(lambda: (weight**2).sum())
    assert "more than 9 elements" in text(check_lines(graph, 100))
    x = leaf(2.0)
    with inspector.record() as recording:
        torch.autograd.backward([x**2, x**3])
    with pytest.raises(NotEvaluable, match="a single number"):
        check_derivatives(recording.calls[0].graph)
    assert "nothing to compare" in text(check_lines(inspector.trace(x**2), 100))


def test_nan_is_no_disagreement():
    x = leaf(-1.0)
    graph = graph_of(lambda: torch.log(x) * 0 + torch.sqrt(x))
    (row,) = check_derivatives(graph)
    assert math.isnan(row.autograd.tolist()) and "x" in text(check_lines(graph, 100))


# ---- gradcheck --------------------------------------------------------------------------------------------


class Good(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.save_for_backward(x)
        ctx.factor = factor
        return x * x * factor

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return 2 * x * gradient * ctx.factor, None


class Bad(Good):
    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


class OnlySingle(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        assert x.dtype == torch.float32
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient


@pytest.fixture
def functions(request):
    functions = CustomFunctions(UserFiles(str(request.path.parent)))
    functions.install()
    yield functions
    functions.remove()


def test_functions_are_checked_at_their_inputs(functions):
    x, large = leaf(2.0), torch.rand(1000, requires_grad=True)
    original = torch.autograd.Function.__dict__["apply"]
    for _ in range(3):
        z = Good.apply(x, 3) + Bad.apply(x, 5) + OnlySingle.apply(x)
    z.backward()
    Good.apply(x.detach(), 3)  # nothing wants its gradient
    functions.remove()
    assert torch.autograd.Function.__dict__["apply"] is not original
    assert x.grad.item() == 2 * 2 * 3 + 1 + 1
    results = functions.check()
    assert [(item.name, item.status) for item in results] == 2 * [
        ("Good", "agrees"),
        ("Bad", "disagrees"),
        ("OnlySingle", "not checked"),
    ]
    assert "by finite differences 20, by backward 1" in results[1].reason
    assert results[1].source["file"] == "test_leaf_check.py"
    assert large.grad is None


def test_a_large_function_is_not_checked_and_says_so(functions):
    Good.apply(torch.rand((1 << 20) + 1, requires_grad=True), 2)
    functions.remove()
    (result,) = functions.check()
    assert result.status == "not checked" and "elements" in result.reason


def test_of_many_elements_one_direction_is_checked(functions):
    runs = []

    class Counted(Bad):
        @staticmethod
        def forward(ctx, x, factor):
            runs.append(len(x))
            return Good.forward(ctx, x, factor)

    x = torch.rand(1000, requires_grad=True)
    Good.apply(x, 2)
    Counted.apply(x, 2)
    functions.remove()
    runs.clear()
    good, wrong = functions.check()
    assert (good.status, wrong.status) == ("agrees", "disagrees")
    assert "by finite differences" in wrong.reason
    assert 0 < len(runs) < 20  # not twice for each element, not even for the message


def test_a_kink_is_no_wrong_backward(functions):
    class Relu(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.clamp(min=0)

        @staticmethod
        def backward(ctx, gradient):
            return gradient * (ctx.saved_tensors[0] > 0)

    Relu.apply(torch.tensor([-1.0, 0.0, 1.0], requires_grad=True))
    functions.remove()
    assert [result.status for result in functions.check()] == ["agrees"]


def test_rows_for_the_report(functions):
    x = leaf(2.0)
    with inspector.record() as recording:
        z = Bad.apply(x, 5) + Bad.apply(x, 7)
        z.backward()
    functions.remove()
    results = functions.check()
    ((finding,), checked) = rows_of(results, recording.calls)
    assert checked == [] and finding.rule == "wrong-backward" and finding.backward_call == 1
    names = {recording.calls[0].graph[node]["name"] for node in finding.nodes}
    assert names == {"BadBackward"}
    assert rows_of([], [])[1] == [
        Check(rule="wrong-backward", status="not checked", reason="the script called no custom Function")
    ]
    assert "disagrees" in text(gradcheck_lines(results, 100))


def test_the_option_check(inspect_script):
    script = "import torch\nx = torch.tensor(2.0, requires_grad=True)\nz = x**3\nz.backward()\n"
    ran = inspect_script(script, options=["--check", "-f", "json"])
    assert ran.status == 0
    assert "by rules" in ran.stderr and "3x² = 12" in ran.stderr and "agree" in ran.stderr


@pytest.mark.parametrize(("script", "said"), [(RIGHT, "agrees"), (WRONG, "disagrees")])
def test_the_option_gradcheck(inspect_script, script, said):
    script = script.replace("import torch\n", "import torch\ntorch.manual_seed(0)\n")
    plain = inspect_script(script)
    ran = inspect_script(script, options=["--gradcheck", "-f", "json"])
    assert ran.status == 0 and ran.stdout == plain.stdout, "the random numbers go on as without us"
    assert f"gradcheck  Cube  script.py:18  {said}" in ran.stderr
    findings = [finding["rule"] for finding in ran.report["findings"]]
    assert ("wrong-backward" in findings) == (said == "disagrees")
