"""Tensors and graphs out of the ordinary: the report says what torch says, and the script is not disturbed."""

import math

import pytest

from inspector.torch_api.saved_tensors import WRAPPERS


def run_both(inspect_script, code, *arguments):
    """Under `inspect`, with the same end as without us."""
    plain = inspect_script.plain(code, *arguments)
    ran = inspect_script(code, *arguments)
    assert (ran.status, ran.stdout) == (plain.status, plain.stdout), ran.stderr + plain.stderr
    assert "internal error" not in ran.stderr
    return ran


def by_name(ran):
    return {row["name"]: row for row in ran.functions()}


def test_nan_and_infinite_gradients(inspect_script):
    ran = run_both(
        inspect_script,
        """
        import torch
        x = torch.tensor(0.0, requires_grad=True)
        w = torch.tensor([0.0, 1.0], requires_grad=True)
        y = x.sqrt()
        z = (w / w).sum() + y
        z.backward()
        print(x.grad, w.grad)
        """,
    )
    assert ran.tensor("x")["after"]["grad"] == "inf"
    assert ran.tensor("w")["after"]["grad"] == ["nan", 0.0]
    assert ran.tensor("z")["before"]["data"] == "nan"


def test_negative_zero(inspect_script):
    """Torch's own -0.0 stays what it is in the report; that a picture writes 0 is the picture's."""
    ran = run_both(
        inspect_script,
        """
        import torch
        y = torch.tensor(0.0, requires_grad=True)
        z = -(y**2)
        z.backward()
        print(y.grad)
        """,
    )
    grad = ran.tensor("y")["after"]["grad"]
    assert grad == 0.0 and math.copysign(1, grad) == -1
    assert "-0" not in ran.stderr and "\N{MINUS SIGN}0" not in ran.stderr


def test_complex(inspect_script):
    ran = run_both(
        inspect_script,
        """
        import torch
        x = torch.tensor(1 + 2j, requires_grad=True)
        y = x * x
        z = y.abs()
        z.backward()
        print(x.grad)
        """,
    )
    assert ran.tensor("x")["dtype"] == "complex64"
    assert ran.tensor("x")["before"]["data"] == {"re": 1.0, "im": 2.0}
    grad = ran.tensor("x")["after"]["grad"]
    assert (grad["re"], grad["im"]) == pytest.approx((2.0, 4.0))


def test_sparse(inspect_script):
    ran = run_both(
        inspect_script,
        """
        import torch
        torch.manual_seed(0)
        table = torch.nn.Embedding(5, 4, sparse=True)
        y = table(torch.tensor([1, 1, 3])).sum()
        y.backward()
        print(table.weight.grad)
        """,
    )
    grad = ran.tensor("weight")["after"]["grad"]
    assert (grad["shape"], grad["zeros"], grad["min"], grad["max"]) == ([5, 4], 12, 0.0, 2.0)
    assert grad["norm"] == pytest.approx(math.sqrt(4 * 4 + 4))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_floating_types(dtype, inspect_script):
    ran = run_both(
        inspect_script,
        f"""
        import torch
        x = torch.tensor(1.5, dtype=torch.{dtype}, requires_grad=True)
        w = torch.full((20,), 0.5, dtype=torch.{dtype}, requires_grad=True)
        y = (x * w).sum() * 2
        y.backward()
        print(x.grad, w.grad)
        """,
    )
    assert (ran.tensor("x")["dtype"], ran.tensor("x")["after"]["grad"]) == (dtype, 20.0)
    assert ran.tensor("w")["after"]["grad"]["mean"] == 3.0


def test_an_overflow_in_half_precision_is_seen(inspect_script):
    ran = run_both(
        inspect_script,
        """
        import torch
        x = torch.tensor(300.0, dtype=torch.float16, requires_grad=True)
        y = x * 300
        z = y * 2
        z.backward()
        print(x.grad)
        """,
    )
    assert (ran.tensor("y")["before"]["data"], ran.tensor("x")["after"]["grad"]) == ("inf", 600.0)


def test_in_place_and_views(inspect_script):
    ran = run_both(
        inspect_script,
        """
        import torch
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        b = x * 3
        v = b[0]
        v.mul_(10)
        b.add_(1)
        z = b.sum() + v
        z.backward()
        print(x.grad)
        """,
    )
    names = [row["name"] for row in ran.functions()]
    assert "CopySlices" in names and "AsStridedBackward0" in names
    assert (ran.tensor("b")["pass"], ran.tensor("b")["before"]["data"]) == (2, [31.0, 7.0])
    assert ran.tensor("v")["before"]["data"] == 31.0
    assert ran.grads("x") == (None, [60.0, 3.0])


def test_a_leaf_changed_by_the_optimizer(inspect_script):
    ran = run_both(
        inspect_script,
        """
        import torch
        w = torch.tensor(1.0, requires_grad=True)
        optimizer = torch.optim.SGD([w], lr=0.5)
        for step in range(2):
            optimizer.zero_grad()
            loss = (w - 3) ** 2
            loss.backward()
            optimizer.step()
        print(w)
        """,
    )
    assert [ran.tensor("w", k)["before"]["data"] for k in (0, 1)] == [1.0, 3.0]
    assert [ran.tensor("w", k)["after"]["data"] for k in (0, 1)] == [1.0, 3.0], (
        "as it was after backward, not step"
    )
    assert [ran.tensor("w", k)["after"]["grad"] for k in (0, 1)] == [-4.0, 0.0]


def test_a_saved_tensor_that_was_overwritten(inspect_script):
    ran = run_both(
        inspect_script,
        """
        import torch
        x = torch.tensor(2.0, requires_grad=True)
        a = x.exp()
        b = a.sin()
        a.add_(1)
        c = a + b
        try:
            c.backward()
        except RuntimeError as error:
            print(str(error)[:80])
        """,
    )
    states = {(row["name"], saved["name"]): saved["before"] for row in ran.functions() for saved in row["saved"]}
    assert states["SinBackward0", "self"] == "modified"
    assert "modified by an inplace operation" in ran.calls[0]["graph"]["error"]


def test_retain_grad(inspect_script):
    ran = run_both(
        inspect_script,
        """
        import torch
        x = torch.tensor(2.0, requires_grad=True)
        y = x**2
        y.retain_grad()
        z = y * 3
        z.backward()
        print(y.grad, z.is_leaf)
        """,
    )
    assert (ran.tensor("y")["retains_grad"], ran.tensor("z")["retains_grad"]) == (True, False)
    assert (ran.grads("y"), ran.grads("z")) == ((None, 3.0), (None, None))


def test_a_custom_function_with_several_outputs(inspect_script):
    ran = run_both(
        inspect_script,
        """
        import torch

        class Both(torch.autograd.Function):
            @staticmethod
            def forward(ctx, a, factor, b):
                ctx.save_for_backward(a, b)
                ctx.factor = factor
                return a * factor, b + 1, torch.tensor([1, 2])

            @staticmethod
            def backward(ctx, g, h, _):
                return g * ctx.factor, None, h

        a = torch.tensor(2.0, requires_grad=True)
        b = torch.tensor(3.0, requires_grad=True)
        p, q, index = Both.apply(a, 7, b)
        z = p + 2 * q
        z.backward()
        print(a.grad, b.grad)
        """,
    )
    function = by_name(ran)["BothBackward"]
    assert {saved["before"] for saved in function["saved"]} == {"held" if WRAPPERS.is_available else "unknown"}
    assert function["gradient"][:2] == [1.0, 2.0]
    assert (ran.tensor("p")["output_nr"], ran.tensor("q")["output_nr"]) == (0, 1)
    assert (ran.grads("a")[1], ran.grads("b")[1]) == (7.0, 2.0)


def test_saved_tensors_that_may_be_read_once_are_left_to_the_script(inspect_script):
    ran = run_both(
        inspect_script,
        """
        import torch

        class Once(torch.autograd.Function):
            clear_saved_tensors_on_access = True

            @staticmethod
            def forward(ctx, a):
                ctx.save_for_backward(a)
                return a * 2

            @staticmethod
            def backward(ctx, g):
                (a,) = ctx.saved_tensors
                return g * 2 + 0 * a

        x = torch.tensor(2.0, requires_grad=True)
        Once.apply(x).backward()
        print(x.grad)
        """,
    )
    assert ran.grads("x") == (None, 2.0)


def test_exotic_tensors_are_unknown_and_not_fatal(inspect_script):
    ran = run_both(
        inspect_script,
        """
        import torch, warnings
        warnings.simplefilter("ignore")
        meta = torch.rand(30, device="meta", requires_grad=True)
        (meta * 2).sum().backward()
        parts = [torch.ones(2), torch.ones(3)]
        nested = torch.nested.nested_tensor(parts, requires_grad=True, layout=torch.jagged)
        nested.sin().values().sum().backward()
        empty = torch.ones(0, requires_grad=True)
        empty.sum().backward()
        print(meta.grad is None, nested.grad is None, empty.grad)
        """,
    )
    assert ran.report["recording"]["watched"] == 3
    assert "unknown" in ran.tensor("meta")["before"]["data"]
    assert ran.tensor("empty", 2)["after"]["grad"] == []


def test_tensor_subclass(inspect_script):
    ran = run_both(
        inspect_script,
        """
        import torch

        class Sub(torch.Tensor):
            pass

        x = torch.tensor([1.0, 2.0]).as_subclass(Sub).requires_grad_()
        y = (x * 2).sum()
        y.backward()
        print(type(y).__name__, x.grad.tolist())
        """,
    )
    assert ran.tensor("x")["after"]["grad"] == [2.0, 2.0]


def test_large_tensors_are_summaries(inspect_script):
    ran = run_both(
        inspect_script,
        """
        import torch
        x = torch.arange(10.0, requires_grad=True)
        y = (x**2).sum()
        y.backward()
        print(x.grad)
        """,
    )
    data, grad = ran.tensor("x")["before"]["data"], ran.tensor("x")["after"]["grad"]
    assert data["shape"] == [10] and (data["min"], data["max"], data["mean"], data["zeros"]) == (0, 9, 4.5, 1)
    assert (grad["mean"], grad["max"], grad["nans"], grad["infinities"]) == (9.0, 18.0, 0, 0)
    assert grad["norm"] == pytest.approx(2 * math.sqrt(285))


GRADIENTS = """
    import sys, torch, hashlib
    from torch import nn
    torch.manual_seed(0)
    kind = sys.argv[1]
    if kind == "mlp":
        model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(0.5), nn.LayerNorm(32), nn.Linear(32, 3))
        data = torch.randn(16, 8)
    elif kind == "conv":
        model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.GELU(), nn.MaxPool2d(2), nn.Flatten(),
                              nn.LazyLinear(3))
        data = torch.randn(4, 1, 10, 10)
    elif kind == "lstm":
        class Last(nn.Module):
            def __init__(self):
                super().__init__()
                self.lstm = nn.LSTM(5, 7, num_layers=2, batch_first=True, dropout=0.2)
                self.head = nn.Linear(7, 3)

            def forward(self, x):
                return self.head(self.lstm(x)[0][:, -1])

        model = Last()
        data = torch.randn(4, 6, 5)
    else:
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        model = nn.Sequential(nn.TransformerEncoder(layer, 2), nn.Flatten(), nn.Linear(32, 3))
        data = torch.randn(4, 4, 8)
        model.eval()
        with torch.no_grad():
            print(model(data).numpy().tobytes().hex())
        model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    digest = hashlib.sha256()
    for step in range(4):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(data), torch.arange(len(data)) % 3)
        loss.backward()
        optimizer.step()
        for parameter in model.parameters():
            digest.update(parameter.grad.numpy().tobytes() + parameter.detach().numpy().tobytes())
    print(digest.hexdigest(), torch.rand(1).item())
    print([p._version for p in model.parameters()], [p._backward_hooks for p in model.parameters()])
"""


@pytest.mark.parametrize("kind", ["mlp", "conv", "lstm", "transformer"])
def test_gradients_are_bitwise_the_same(kind, inspect_script):
    """Four steps: three of them watched, one after everything of ours came off. Random numbers, too."""
    ran = run_both(inspect_script, GRADIENTS, kind)
    assert ran.report["recording"]["watched"] == 3
    assert all(call["graph"]["error"] is None for call in ran.calls)
