"""Local derivatives on the edges between scalars: the symbol and the number, against torch."""

import math
import subprocess
import sys
import warnings
from collections import Counter

import pytest
import sympy
import torch
from expressions import expressions
from hypothesis import HealthCheck, assume, given, seed, settings
from hypothesis import strategies as st

import inspector
from inspector.derivatives import total_derivatives

OURS = {
    "sigmoid": lambda x: float(torch.sigmoid(torch.tensor(x).double())),  # also where exp(-x) is too large
    "softplus": lambda x: max(x, 0.0) + math.log1p(math.exp(-abs(x))),
    "relu": lambda x: max(x, 0.0),
    "Heaviside": lambda x, _=None: float(x > 0),
    "sign": lambda x: float((x > 0) - (x < 0)),
    "Abs": abs,
    "Max": max,
    "Min": min,
    "Eq": lambda x, y: float(x == y),
    "besseli": lambda order, x: float((torch.special.i0, torch.special.i1)[order](torch.tensor(x).double())),
    "erfinv": lambda x: float(torch.erfinv(torch.tensor(x).double())),
    "ceiling": math.ceil,
    "re": lambda x: x.real,  # sympy writes |exp(tanh(x))| with real and imaginary parts
    "im": lambda x: x.imag,
}

UNARY = {
    "neg": lambda x: -x,
    "reciprocal": torch.reciprocal,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "exp": torch.exp,
    "exp2": torch.exp2,
    "expm1": torch.expm1,
    "log": torch.log,
    "log1p": torch.log1p,
    "log2": torch.log2,
    "sin": torch.sin,
    "cos": torch.cos,
    "tan": torch.tan,
    "asin": torch.asin,
    "acos": torch.acos,
    "atan": torch.atan,
    "sinh": torch.sinh,
    "cosh": torch.cosh,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": torch.nn.functional.softplus,
    "abs": torch.abs,
    "relu": torch.relu,
    "pow": lambda x: x**3,
    "power of a number": lambda x: 2.5**x,
    "times": lambda x: 3 * x,
    "divided": lambda x: x / 4,
    "minus": lambda x: 5 - x,
    "rsub": lambda x: torch.rsub(x, 5),
    "sum": lambda x: x.sum(),
    "mean": lambda x: x.mean(),
    "log10": torch.log10,
    "asinh": torch.asinh,
    "atanh": torch.atanh,
    "erf": torch.erf,
    "erfc": torch.erfc,
    "logit": torch.logit,
    "log sigmoid": torch.nn.functional.logsigmoid,
    "silu": torch.nn.functional.silu,
    "gelu": torch.nn.functional.gelu,
    "leaky relu": torch.nn.functional.leaky_relu,
    "elu": torch.nn.functional.elu,
    "selu": torch.nn.functional.selu,
    "celu": torch.nn.functional.celu,
    "hard tanh": torch.nn.functional.hardtanh,
    "hard sigmoid": torch.nn.functional.hardsigmoid,
    "clamp": lambda x: x.clamp(0.05, 0.95),
    "clamp below": lambda x: x.clamp(min=0.05),
    "binary cross entropy": lambda x: torch.nn.functional.binary_cross_entropy(x, torch.ones_like(x)),
    "clone": lambda x: x.clone(),
    "view": lambda x: x.view(()),
    "largest": lambda x: x.max(),
    "smallest": lambda x: x.amin(),
    "product": lambda x: x.prod(),
    "softmax": lambda x: x.softmax(0),
    "log softmax": lambda x: x.log_softmax(0),
    "clamp min": lambda x: torch.clamp_min(x, 0.5),
    "clamp max": lambda x: torch.clamp_max(x, 0.5),
    "hard swish": torch.nn.functional.hardswish,
    "hard shrink": torch.nn.functional.hardshrink,
    "soft shrink": torch.nn.functional.softshrink,
    "threshold": lambda x: torch.nn.functional.threshold(x, 0.5, 0.1),
    "mish": torch.nn.functional.mish,
    "gelu with tanh": lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
    "fmod of a number": lambda x: torch.fmod(x, 0.3),
    "remainder of a number": lambda x: torch.remainder(x, 0.3),
    "frac": torch.frac,
    "sinc": torch.sinc,
    "ldexp": lambda x: torch.ldexp(x, torch.tensor(3)),
    "i0": torch.special.i0,
    "erfcx": torch.special.erfcx,
    "erfinv": torch.erfinv,
    "ndtri": torch.special.ndtri,
    "log ndtr": torch.special.log_ndtr,
    "entropy": torch.special.entr,
    "degrees": torch.rad2deg,
    "round": torch.round,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "trunc": torch.trunc,
    "sign": torch.sign,
    "filled": lambda x: x.masked_fill(x > -10, 0.5),
    "filled with zero": lambda x: x.masked_fill(torch.tensor(True), 0.0),
    "not filled": lambda x: x.masked_fill(x < -10, 0.5),
    "filled with a tensor": lambda x: x.masked_fill(x > -10, torch.tensor(-2.0, dtype=torch.float64)),
    "divided and rounded": lambda x: torch.div(x, 0.25, rounding_mode="floor"),
    "soft margin": lambda x: torch.nn.functional.soft_margin_loss(x, torch.tensor(-1.0, dtype=torch.float64)),
}
BINARY = {
    "add": torch.add,
    "add alpha": lambda x, y: torch.add(x, y, alpha=3),
    "sub": torch.sub,
    "sub alpha": lambda x, y: torch.sub(x, y, alpha=2),
    "mul": torch.mul,
    "div": torch.div,
    "pow": torch.pow,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "fmax": torch.fmax,
    "atan2": torch.atan2,
    "hypot": torch.hypot,
    "logaddexp": torch.logaddexp,
    "xlogy": torch.xlogy,
    "lerp": lambda x, y: torch.lerp(x, y, 0.3),
    "mean squared error": torch.nn.functional.mse_loss,
    "rsub": lambda x, y: torch.rsub(x, y, alpha=2),
    "fmin": torch.fmin,
    "logaddexp2": torch.logaddexp2,
    "xlog1py": torch.special.xlog1py,
    "fmod": lambda x, y: torch.fmod(x, y - 1),
    "remainder": lambda x, y: torch.remainder(x, y - 1),
    "divided and truncated": lambda x, y: torch.div(x, y - 1, rounding_mode="trunc"),
    "clamp between": lambda x, y: torch.clamp(x, y - 1.5, y),
    "clamp by a tensor": lambda x, y: torch.clamp_max(x, y - 0.9),
    "huber": lambda x, y: torch.nn.functional.huber_loss(x, y, delta=0.5),
    "smooth l1": lambda x, y: torch.nn.functional.smooth_l1_loss(x, y, beta=0.5),
    "squared error": lambda x, y: torch.nn.functional.mse_loss(x, y, reduction="none"),
}


def leaf(value):
    return torch.tensor(value, dtype=torch.float64, requires_grad=True)


def locals_of(function, x, y=None):
    """slot -> (`local`, gradient) of the edges out of the root's function, after a backward with gradient 1.

    x, y: named here, so that the symbols have names.
    """
    with inspector.record() as recording:
        root = function(x) if y is None else function(x, y)
        root.backward()
    assert recording.failure is None
    graph = recording.calls[0].graph
    function = graph[graph.roots[0]]["grad_fn"]
    return {
        edge["slot"]: (edge.get("local"), edge["gradient"])
        for source, _, edge in graph.edges("next")
        if source == function
    }


@pytest.mark.parametrize("name", UNARY)
@settings(max_examples=3)
@given(at=st.floats(0.1, 0.9))
def test_unary(name, at):
    x = leaf(at)
    ((local, gradient),) = locals_of(UNARY[name], x).values()
    assert local is not None, "this function is known and smooth here"
    assert local["value"] == pytest.approx(x.grad.item()) and gradient == x.grad.item()
    check_symbol(local, x=at)


@pytest.mark.parametrize("name", BINARY)
@settings(max_examples=3)
@given(first=st.floats(0.1, 0.9), second=st.floats(1.1, 2.9))
def test_binary(name, first, second):
    wraps = first / (second - 1)
    assume(name not in ("fmod", "remainder") or abs(wraps - round(wraps)) > 1e-3)  # a jump has no derivative
    x, y = leaf(first), leaf(second)
    found = locals_of(BINARY[name], x, y)
    for slot, tensor in ((0, x), (1, y)):
        local, gradient = found[slot]
        assert gradient == tensor.grad.item()
        assert local["value"] == pytest.approx(tensor.grad.item())
        check_symbol(local, x=first, y=second)


def check_symbol(local, **values):
    """The symbol, read by sympy and evaluated, is the number: over the names of the script."""
    symbol = sympy.sympify(local["symbol"])
    assert {str(letter) for letter in symbol.free_symbols} <= values.keys()
    assert number_of(local["symbol"], values) == pytest.approx(local["value"], rel=1e-6)


def number_of(symbol, values):
    """What a symbol is at these values: read by sympy, told what a sigmoid is, and nothing of ours."""
    letters = {name: sympy.Symbol(name, real=True) for name in values}
    read = sympy.sympify(symbol, locals=letters)
    function = sympy.lambdify(list(letters.values()), read, modules=[OURS, "math"])
    return float(function(*values.values()))


@pytest.mark.parametrize(
    ("function", "at"),
    [(torch.abs, 0.0), (torch.relu, 0.0), (torch.sqrt, 0.0), (torch.log, -1.0), (torch.sqrt, -1.0)],
)
def test_at_a_kink_and_outside_of_the_domain_it_agrees_with_torch_or_is_silent(function, at):
    x = leaf(at)
    ((local, gradient),) = locals_of(function, x).values()
    if local is not None:
        assert local["value"] == gradient


@pytest.mark.parametrize("function", [torch.maximum, torch.minimum, torch.fmax, torch.fmin, torch.max])
def test_a_tie_of_two(function):
    x, y = leaf(1.0), leaf(1.0)
    found = locals_of(function, x, y)
    for slot, tensor in ((0, x), (1, y)):
        local, gradient = found[slot]
        assert gradient == tensor.grad.item() == local["value"] == number_of(local["symbol"], {})


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.clamp(min=1),
        lambda x: x.clamp(-1, 1),
        lambda x: torch.nn.functional.elu(x - 1, alpha=2),
        lambda x: torch.sinc(x - 1),
        lambda x: torch.maximum(x, x * x),
    ],
)
def test_at_a_kink_the_total_derivative_is_torchs(function):
    x = leaf(1.0)
    with inspector.record() as recording:
        function(x).backward()
    (total,) = total_derivatives(recording.calls[0].graph).values()
    assert total["value"] == x.grad.item()


def test_unknown_functions_have_a_number_and_no_symbol():
    v = torch.rand(3, dtype=torch.float64, requires_grad=True)
    with inspector.record() as recording:
        torch.lgamma(v.sum()).backward()
    unknown, total = (edge for *_, edge in recording.calls[0].graph.edges("next"))
    assert unknown["local"] == {"symbol": None, "value": unknown["gradient"]}
    assert total["local"] == {"symbol": "1", "value": [1.0, 1.0, 1.0]}


VECTORS = {
    "mean": (lambda v, w: v.mean(), ["1/3"]),
    "dot": (lambda v, w: v @ w, ["w", "v"]),
    "norm": (lambda v, w: v.norm(), ["v/z"]),
    "largest": (lambda v, w: v.max(), ["Eq(v, z)"]),
    "product": (lambda v, w: v.prod(), ["z/v"]),
    "huber": (
        lambda v, w: torch.nn.functional.huber_loss(v, w),
        ["Min(Max(v - w, -1), 1)/3", "Min(Max(w - v, -1), 1)/3"],
    ),
    "summed error": (lambda v, w: torch.nn.functional.mse_loss(v, w, reduction="sum"), ["2*(v - w)", "2*(w - v)"]),
    "distance": (lambda v, w: torch.dist(v, w), ["(v - w)/z", "(w - v)/z"]),
    "mean squared error": (lambda v, w: torch.nn.functional.mse_loss(v, w), ["2*(v - w)/3", "2*(w - v)/3"]),
    "elementwise": (lambda v, w: (torch.tanh(v) * w).sum(), ["1", "w", "tanh(v)", "1 - tanh(v)**2"]),
}


@pytest.mark.parametrize("name", VECTORS)
def test_small_tensors(name):
    function, symbols = VECTORS[name]
    v, w = leaf([0.1, -0.4, 2.0]), leaf([1.0, 0.5, -3.0])
    with inspector.record() as recording:
        z = function(v, w)
        z.backward()
    edges = [(source, edge) for source, _, edge in recording.calls[0].graph.edges("next")]
    assert sorted(edge["local"]["symbol"] for _, edge in edges) == sorted(symbols)
    for source, edge in edges:
        upstream = torch.tensor(recording.calls[0].graph[source]["gradient"], dtype=torch.float64)
        local = torch.tensor(edge["local"]["value"], dtype=torch.float64)
        assert torch.allclose(local * upstream, torch.tensor(edge["gradient"], dtype=torch.float64), rtol=1e-6)


def test_equal_elements_share_the_gradient_of_a_maximum():
    v = leaf([2.0, 2.0, -1.0])
    ((local, gradient),) = locals_of(torch.max, v).values()
    assert local["symbol"].startswith("Eq(") and local["symbol"].endswith("/2")
    assert local["value"] == gradient == v.grad.tolist()


def test_a_hook_that_changes_the_gradient_leaves_no_false_derivative():
    x = leaf(2.0)
    y = x**2
    y.register_hook(lambda gradient: gradient * 10)
    z = y * 3
    with inspector.record() as recording:
        z.backward()
    graph = recording.calls[0].graph
    for source, _, edge in graph.edges("next"):
        if "local" in edge:
            assert edge["local"]["value"] * graph[source]["gradient"] == pytest.approx(edge["gradient"])


def test_the_symbols_are_those_of_a_textbook():
    x, u, v = leaf(2.0), leaf(3.0), leaf(4.0)
    functions = {
        "2*x": lambda x: x**2,
        "cos(x)": lambda x: x.sin(),
        "v": lambda x: u * v,
        "1/v": lambda x: u / v,
        "3": lambda x: 3 * x,
        "sigmoid(x)*(1 - sigmoid(x))": lambda x: x.sigmoid(),
        "1 - tanh(x)**2": lambda x: x.tanh(),
        "Heaviside(v - u)": lambda x: torch.maximum(v, u),
        "1/(2*sqrt(x))": lambda x: x.sqrt(),
        "-u/v**2": lambda x: u / v,
        "sign(x)": lambda x: x.abs(),
    }
    for symbol, function in functions.items():
        assert symbol in [local["symbol"] for local, _ in locals_of(function, x).values()]


def test_in_float32_where_the_sigmoid_is_flat():
    """1 - s cancels: torch takes it from the s that it saved, and so does the check of the symbol."""
    x = torch.tensor(7.0, requires_grad=True)
    ((local, _),) = locals_of(torch.sigmoid, x).values()
    assert local["symbol"] == "sigmoid(x)*(1 - sigmoid(x))"


def test_a_long_operand_without_a_name_is_called_v1():
    x, y = leaf(0.7), leaf(1.3)
    with inspector.record() as recording:
        z = torch.exp(torch.sin(x * y) * torch.cos(x + y) / y) * x
        z.backward()
    graph = recording.calls[0].graph
    aliases = {row["alias"]["name"]: row["alias"]["expression"] for _, row in graph.functions() if "alias" in row}
    symbols = [edge["local"]["symbol"] for *_, edge in graph.edges("next")]
    assert aliases and aliases.keys() == {f"v{number}" for number in range(1, len(aliases) + 1)}
    assert "v1" in symbols and aliases["v1"] == "exp(sin(x*y)*cos(x + y)/y)"


def test_torch_stays_out():
    """The derivatives of a saved graph are there where torch is not."""
    code = "import sys; sys.modules['torch'] = None; import inspector.derivatives, inspector.plots"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# ---- total derivatives ------------------------------------------------------------------------------------

TOTALS = {
    "uv": (lambda u, v: u * v + u**2, {"u": "v + 2*u", "v": "u"}),
    "polynomial": (lambda u, v: u**2 + 2 * u + 1, {"u": "2*u + 2"}),
    "saddle": (lambda u, v: u**2 - v**2, {"u": "2*u", "v": "-2*v"}),
    "baydin": (lambda u, v: torch.log(u) + u * v - torch.sin(v), {"u": "1/u + v", "v": "u - cos(v)"}),
    "olah": (lambda u, v: (u + v) * (v + 1), {"u": "v + 1", "v": "u + 2*v + 1"}),
    "squared error": (lambda u, v: (3 * u + v - 10) ** 2, {"u": "6*(3*u + v - 10)", "v": "2*(3*u + v - 10)"}),
}


@pytest.mark.parametrize("name", TOTALS)
def test_total_derivatives(name):
    function, expected = TOTALS[name]
    u, v = leaf(1.0), leaf(2.0)
    with inspector.record() as recording:
        function(u, v).backward()
    graph = recording.calls[0].graph
    found = {graph[key]["name"]: row for key, row in total_derivatives(graph).items()}
    assert {name: row["symbol"] for name, row in found.items()} == expected
    for name, row in found.items():
        assert row["value"] == pytest.approx({"u": u, "v": v}[name].grad.item(), rel=1e-6)


def test_a_total_derivative_keeps_the_names_of_the_script_where_leaves_alone_are_long():
    w, x, b = leaf(0.5), leaf(2.0), leaf(0.1)
    with inspector.record() as recording:
        p = w * x + b
        f = torch.sigmoid(p)
        f.backward()
    graph = recording.calls[0].graph
    found = {graph[key]["name"]: row["symbol"] for key, row in total_derivatives(graph).items()}
    assert found["w"] == "x*sigmoid(p)*(1 - sigmoid(p))"


def test_no_total_derivative_where_a_hook_changes_the_gradient():
    x = leaf(2.0)
    y = x**2
    y.register_hook(lambda gradient: gradient * 10)
    with inspector.record() as recording:
        (y * 3).backward()
    assert total_derivatives(recording.calls[0].graph) == {}


# ---- random expressions -----------------------------------------------------------------------------------

SHARE = 0.95


@pytest.mark.parametrize("number", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_random_expressions(number, capsys):
    """Symbol times upstream is what torch's hook saw on the edge, in double precision."""
    counts = Counter()

    @seed(4)
    @settings(max_examples=number, database=None, suppress_health_check=list(HealthCheck))
    @given(root=expressions(), values=st.lists(st.floats(0.2, 3.0), min_size=2, max_size=4))
    def check(root, values):
        leaves = [leaf(value) for value in values]
        a, b, c, d = leaves + [None] * (4 - len(values))  # noqa: RUF059 (their names)
        with inspector.record() as recording:
            z = root(leaves)
            z.backward()
        assert recording.failure is None
        graph = recording.calls[0].graph
        gradients = [item.grad.item() for item in leaves if item.grad is not None]
        assume(all(map(math.isfinite, [z.item(), *gradients])))
        counts["expressions"] += 1
        known = dict(zip("abcd", values, strict=False)) | {"z": z.item()}
        known |= {row["alias"]["name"]: row["before"]["data"] for _, row in graph.functions() if "alias" in row}
        for source, _, edge in graph.edges("next"):
            local = edge.get("local") or {"symbol": None}
            counts["symbol" if local["symbol"] else "number"] += 1
            if local["symbol"]:
                upstream = graph[source]["gradient"]
                product = number_of(local["symbol"], known) * upstream
                digits_lost = 1e-15 * abs(upstream)  # 1 - s of a sigmoid s near 1 is known to 1e-16
                assert product == pytest.approx(edge["gradient"], rel=1e-6, abs=digits_lost)

    check()
    share = counts["symbol"] / (counts["symbol"] + counts["number"])
    with capsys.disabled():
        print(f"\n{counts['expressions']} random expressions: {share:.1%} of the edges have a symbol")
    assert counts["expressions"] == number and share > SHARE


def test_no_warning_and_no_exception_for_odd_numbers():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for at in (float("nan"), float("inf"), -0.0, 1e308, 5e-324):
            for name in UNARY.keys() - {"binary cross entropy"}:  # which refuses them
                function = UNARY[name]
                x = leaf(at)
                locals_of(function, x)
