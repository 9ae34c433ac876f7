"""Which calls of the engine count as backward calls, and what is seen of each. Torch is the oracle."""

import pytest
from needs import needs

from inspector.torch_api.saved_tensors import WRAPPERS

HEAD = """
    import torch
    x = torch.tensor(2.0, requires_grad=True)
"""


def names(ran, call=0):
    return [row["name"] for row in ran.functions(call)]


def codes(ran):
    return [call["location"]["code"] for call in ran.calls]


def test_autograd_grad_counts_and_fills_no_grad(inspect_script):
    ran = inspect_script(
        HEAD
        + """
    y = x**2
    z = y * 3
    gx, gy = torch.autograd.grad(z, [x, y])
    print(gx.item(), gy.item(), x.grad)
    """
    )
    assert ran.stdout == "12.0 3.0 None\n"
    assert codes(ran) == ["gx, gy = torch.autograd.grad(z, [x, y])"]
    assert ran.grads("x") == (None, None)
    assert (ran.tensor("x")["gradient"], ran.tensor("y")["gradient"]) == (12.0, 3.0)
    steps = {row["name"]: row["step"] for row in ran.functions()}
    assert steps == {"MulBackward0": 1, "PowBackward0": 2, "AccumulateGrad": None}


def test_grad_of_an_intermediate_alone_runs_nothing_below_it(inspect_script):
    ran = inspect_script(HEAD + "    y = x**2\n    z = y * 3\n    torch.autograd.grad(z, y)\n")
    steps = {row["name"]: row["step"] for row in ran.functions()}
    assert steps == {"MulBackward0": 1, "PowBackward0": None, "AccumulateGrad": None}
    assert ran.tensor("y")["gradient"] == 3.0
    assert "unknown" in ran.tensor("x")["gradient"]


def test_names_imported_before_and_all_entry_points(inspect_script):
    ran = inspect_script(
        """
        from torch.autograd import backward, grad
        import torch
        x = torch.tensor(2.0, requires_grad=True)
        (x * 2).backward()
        torch.autograd.backward(x * 3)
        backward([x * 4])
        grad(x * 5, x)
        torch.Tensor.backward(x * 6)
        """,
        options=("-f", "json", "--backward", "last"),
    )
    assert (ran.status, ran.report["recording"]["watched"]) == (0, 5)
    assert codes(ran) == ["torch.Tensor.backward(x * 6)"]
    assert ran.grads("x") == (9.0, 15.0)


def test_several_roots(inspect_script):
    ran = inspect_script(HEAD + "    y = x**2\n    z = x * 3\n    torch.autograd.backward([y, z])\n")
    roots = ran.calls[0]["graph"]["roots"]
    assert [ran.tensor("y")["id"], ran.tensor("z")["id"]] == roots
    assert ran.grads("x") == (None, 7.0)
    assert names(ran).count("AccumulateGrad") == 1


def test_a_leaf_as_root(inspect_script):
    ran = inspect_script(HEAD + "    x.backward()\n")
    assert names(ran) == ["AccumulateGrad"]
    assert ran.grads("x") == (None, 1.0)
    assert ran.calls[0]["graph"]["roots"] == [ran.tensor("x")["id"]]


def test_a_seed_gradient(inspect_script):
    ran = inspect_script(HEAD + "    y = x**2\n    y.backward(torch.tensor(10.0))\n")
    assert (ran.tensor("y")["gradient"], ran.grads("x")) == (10.0, (None, 40.0))


def test_inputs_leave_the_other_leaves_alone(inspect_script):
    ran = inspect_script(
        HEAD + "    w = torch.tensor(5.0, requires_grad=True)\n    y = x * w\n    y.backward(inputs=[x])\n"
    )
    assert (ran.grads("x"), ran.grads("w")) == ((None, 5.0), (None, None))


def test_a_graph_kept_and_used_twice_accumulates(inspect_script):
    ran = inspect_script(
        HEAD + "    y = x**2\n    y.backward(retain_graph=True)\n    y.backward()\n", options=("-f", "json")
    )
    assert [ran.grads("x", call) for call in (0, 1)] == [(None, 4.0), (4.0, 8.0)]
    assert [row["id"] for row in ran.functions(0)] == [row["id"] for row in ran.functions(1)]
    (saved,) = ran.functions(0)[0]["saved"]
    assert (saved["before"], saved["after"]) == ("held", "held")


def test_a_freed_graph(inspect_script):
    code = HEAD + "    y = x**2\n    y.backward()\n    y.backward()\n"
    plain = inspect_script.plain(code)
    ran = inspect_script(code)
    assert ran.status == plain.status == 1 and "backward through the graph a second time" in plain.stderr
    assert [call["graph"]["error"] is None for call in ran.calls] == [True, False]
    assert ran.calls[1]["graph"]["error"].startswith("RuntimeError: Trying to backward through the graph")
    assert ran.grads("x", 1) == (4.0, 4.0)


def test_several_calls_each_have_a_graph_of_their_own(inspect_script):
    ran = inspect_script(HEAD + "    (x * 3).backward()\n    x.sin().backward()\n    x.exp().backward()\n")
    assert [names(ran, call)[0] for call in range(3)] == ["MulBackward0", "SinBackward0", "ExpBackward0"]
    after = [ran.grads("x", call)[1] for call in range(3)]
    assert [ran.grads("x", call)[0] for call in range(3)] == [None, *after[:2]]


def test_calls_within_a_call_belong_to_it(inspect_script):
    ran = inspect_script(
        HEAD
        + """
    class Nested(torch.autograd.Function):
        @staticmethod
        def forward(ctx, t):
            ctx.save_for_backward(t)
            return t**2

        @staticmethod
        def backward(ctx, gradient):
            (saved,) = ctx.saved_tensors
            with torch.enable_grad():
                inner = saved.detach().requires_grad_()
                (found,) = torch.autograd.grad(inner**2, inner)
            return gradient * found

    @torch.enable_grad()
    def hook(gradient):
        inner = torch.ones((), requires_grad=True)
        (inner * 2).backward()
        return gradient * inner.grad / 2

    y = Nested.apply(x)
    y.register_hook(hook)
    y.backward()
    print(x.grad.item())
    """
    )
    assert ran.stdout == "4.0\n"
    assert codes(ran) == ["y.backward()"]
    assert names(ran) == ["NestedBackward", "AccumulateGrad"]


def test_what_torch_itself_does_to_check_is_not_counted(inspect_script):
    ran = inspect_script(
        """
        import torch
        t = torch.rand(3, dtype=torch.float64, requires_grad=True)
        print(torch.autograd.gradcheck(torch.sin, t), torch.autograd.gradgradcheck(torch.sin, t))
        print(torch.func.grad(torch.sin)(torch.tensor(0.0)).item())
        print(torch.func.vmap(torch.func.grad(torch.sin))(torch.zeros(2)).tolist())
        print(torch.func.jacrev(torch.sin)(torch.zeros(2)).tolist())
        """
    )
    assert ran.stdout == "True True\n1.0\n[1.0, 1.0]\n[[1.0, 0.0], [0.0, 1.0]]\n"
    assert ran.report["recording"]["watched"] == 0 and ran.calls == []


CHECKPOINT = """
    import sys, torch
    from torch.utils.checkpoint import checkpoint
    count = 0
    w = torch.tensor(3.0, requires_grad=True)

    def block(t):
        global count
        count += 1
        return (t * w).sin()

    x = torch.tensor(2.0, requires_grad=True)
    y = checkpoint(block, x * 1.0, use_reentrant=sys.argv[1] == "reentrant")
    y = y * 2
    y.backward()
    print(count, x.grad.item(), w.grad.item())
"""


@pytest.mark.parametrize("kind", ["reentrant", pytest.param("other", marks=needs(WRAPPERS))])
def test_a_checkpoint_runs_its_forward_as_often_as_without_us(kind, inspect_script):
    plain = inspect_script.plain(CHECKPOINT, kind)
    ran = inspect_script(CHECKPOINT, kind)
    assert ran.stdout == plain.stdout and plain.stdout.startswith("2 ")
    assert ran.report["recording"]["watched"] == 1
    assert ("CheckpointFunctionBackward" in names(ran)) is (kind == "reentrant")
    if kind == "other":
        states = {
            saved["before"] for row in ran.functions() if row["name"] == "SinBackward0" for saved in row["saved"]
        }
        assert states == {"packed"}


def test_saved_tensor_hooks_of_the_script_run_as_often_as_without_us(inspect_script):
    code = """
        import torch
        calls = []
        def pack(t):
            calls.append("pack")
            return t.numpy(force=True)
        def unpack(array):
            calls.append("unpack")
            return torch.from_numpy(array)
        x = torch.rand(4, requires_grad=True)
        with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
            y = (x.sin() * x.exp()).sum()
        y.backward()
        print(calls)
    """
    assert inspect_script(code).stdout == inspect_script.plain(code).stdout


def test_double_backward(inspect_script):
    ran = inspect_script(
        HEAD
        + """
    y = x**3
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    h = g * 2
    h.backward()
    print(g.item(), x.grad.item())
    """
    )
    assert ran.stdout == "12.0 24.0\n"
    assert len(ran.calls) == 2
    assert ran.tensor("x", 1)["after"]["grad"] == 24.0
    assert ran.tensor("g", 1)["before"]["data"] == 12.0
    assert "PowBackward0" in names(ran, 1)


def test_create_graph_keeps_grads_with_a_graph_and_leaves_no_trace_of_us(inspect_script):
    code = """
        import gc, torch, warnings, weakref
        warnings.simplefilter("ignore")
        x = torch.tensor(2.0, requires_grad=True)
        y = x**3
        y.backward(create_graph=True)
        names, waiting = set(), [x.grad.grad_fn]
        while waiting:
            node = waiting.pop()
            if node is not None and node.name() not in names:
                names.add(node.name())
                waiting += [child for child, _ in node.next_functions]
        print(sorted(names), x.grad.item())
    """
    plain, ran = inspect_script.plain(code), inspect_script(code)
    assert ran.stdout == plain.stdout
    assert ran.grads("x") == (None, 12.0)


def test_a_hook_that_raises(inspect_script):
    code = """
        import torch
        x = torch.tensor(2.0, requires_grad=True)
        def hook(gradient):
            raise KeyError('mine')
        y = x**2
        y.register_hook(hook)
        y.backward()
    """
    plain, ran = inspect_script.plain(code), inspect_script(code)
    assert ran.status == plain.status == 1
    assert plain.stderr.splitlines()[-1] == "KeyError: 'mine'" and "KeyError: 'mine'" in ran.stderr
    assert ran.calls[0]["graph"]["error"] == "KeyError: 'mine'"
    assert ran.grads("x") == (None, None)


def test_hooks_of_the_script_run_once_and_change_what_flows(inspect_script):
    code = (
        HEAD
        + """
    y = x**2
    calls = []
    y.register_hook(lambda g: (calls.append("y"), g * 10)[1])
    x.register_hook(lambda g: calls.append("x"))
    x.register_post_accumulate_grad_hook(lambda p: calls.append("post"))
    y.grad_fn.register_hook(lambda gi, go: calls.append("node"))
    y.grad_fn.register_prehook(lambda go: calls.append("pre"))
    z = y + 0
    z.backward()
    print(calls, x.grad.item())
    """
    )
    plain, ran = inspect_script.plain(code), inspect_script(code)
    assert ran.stdout == plain.stdout and "40.0" in plain.stdout
    assert (ran.tensor("y")["gradient"], ran.grads("x")) == (10.0, (None, 40.0))


def test_threads_that_call_backward(inspect_script):
    code = """
        import threading, torch
        xs = [torch.tensor(float(k), requires_grad=True) for k in range(6)]
        def work(x):
            for _ in range(3):
                (x**2).backward()
        threads = [threading.Thread(target=work, args=(x,)) for x in xs]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print([x.grad.item() for x in xs])
    """
    ran = inspect_script(code, options=("-f", "json", "--watch", "30"))
    assert (ran.status, ran.stdout) == (0, f"{[6.0 * k for k in range(6)]}\n")
    assert ran.report["recording"]["watched"] == 18
    assert [call["index"] for call in ran.calls] == list(range(1, 19))
    assert "internal error" not in ran.stderr


def test_an_error_is_caught_by_the_script_and_the_next_call_is_seen(inspect_script):
    ran = inspect_script(
        HEAD
        + """
    y = x**2
    y.backward()
    try:
        y.backward()
    except RuntimeError:
        print("caught")
    (x * 3).backward()
    """
    )
    assert (ran.status, ran.stdout) == (0, "caught\n")
    assert [call["graph"]["error"] is None for call in ran.calls] == [True, False, True]
    assert ran.report["exit"] == {"status": 0, "exception": None}


def test_the_function_of_a_module_is_named_where_the_call_stands(inspect_script):
    inspect_script.write("def run(loss):\n    # a comment\n    loss.backward()\n", "package/helper.py")
    ran = inspect_script(HEAD + "    from package.helper import run\n    y = x**2\n    run(y)\n")
    assert ran.calls[0]["location"] == {"file": "package/helper.py", "line": 3, "code": "loss.backward()"}
    assert ran.tensor("x")["after"]["grad"] == 4.0


def test_of_several_statements_on_one_line_the_one_that_ran_is_said(inspect_script):
    ran = inspect_script("""
        import torch
        é = torch.tensor(2.0, requires_grad=True); y = é**2; z = y * 3; z.backward()
    """)
    (call,) = ran.calls
    assert call["location"]["code"] == "z.backward()"
    codes = {node["name"]: node["source"]["code"] for node in call["graph"]["nodes"] if node["name"] in ("y", "z")}
    assert codes == {"y": "y = é**2", "z": "z = y * 3"}


def by_number(ran, call):
    """(name, call it was made in, line, module) of each function but AccumulateGrad, in walk order."""
    rows = [row for row in ran.functions(call) if row["name"] != "AccumulateGrad"]
    return [(row["name"], row.get("made_in"), row["source"].get("code"), row["module"]) for row in rows]


@pytest.mark.parametrize("mode", ["full", "light"])
def test_what_a_double_backward_made_is_marked(inspect_script, mode):
    ran = inspect_script(
        HEAD
        + """
    y = x.sin()
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    (g2,) = torch.autograd.grad(
        g, x, create_graph=True)
    (g2 * y).backward()
    """,
        options=("-f", "json", "--record", mode),
    )
    assert by_number(ran, 0) == [("SinBackward0", None, "y = x.sin()", None)]
    first = "(g,) = torch.autograd.grad(y, x, create_graph=True)"
    second = "(g2,) = torch.autograd.grad(\n    g, x, create_graph=True)"
    assert by_number(ran, 1) == [("MulBackward0", 1, first, None), ("CosBackward0", 1, first, None)]
    makers = {row["name"]: row.get("made_by") for row in ran.functions(1)}
    maker = {"function": "n0", "name": "SinBackward0"}
    assert makers == {"MulBackward0": maker, "CosBackward0": maker, "AccumulateGrad": None}
    assert {row["made_by"]["name"] for row in ran.functions(2) if row.get("made_in") == 2} == {"CosBackward0"}
    found = by_number(ran, 2)
    assert found[0] == ("MulBackward0", None, "(g2 * y).backward()", None)
    assert ("SinBackward0", None, "y = x.sin()", None) in found
    made = [(row[1], row[2]) for row in found[1:] if row[0] != "SinBackward0" or row[1] is not None]
    assert set(made) <= {(1, first), (2, second)} and (2, second) in made


@pytest.mark.parametrize("mode", ["full", "light"])
def test_a_gradient_penalty(inspect_script, mode):
    ran = inspect_script(
        """
        import torch
        from torch import nn
        torch.manual_seed(0)
        critic = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        x = torch.rand(5, 3, requires_grad=True)
        score = critic(x)
        (slope,) = torch.autograd.grad(score.sum(), x, create_graph=True)
        penalty = ((slope.norm(dim=1) - 1) ** 2).mean()
        loss = score.mean() + penalty
        loss.backward()
        """,
        options=("-f", "json", "--record", mode, "--backward", "2"),
    )
    call = "(slope,) = torch.autograd.grad(score.sum(), x, create_graph=True)"
    rows = by_number(ran, 1)
    lines = {code for _, made_in, code, _ in rows if made_in is None}
    assert lines == {"score = critic(x)", "penalty = ((slope.norm(dim=1) - 1) ** 2).mean()",
                     "loss = score.mean() + penalty"}  # fmt: skip
    made = [row for row in rows if row[1] is not None]
    assert {(made_in, code, module) for _, made_in, code, module in made} == {(1, call, None)}
    assert {"TanhBackwardBackward0", "MmBackward0"} <= {name for name, *_ in made}
    forward = {(name, module) for name, made_in, code, module in rows if code == "score = critic(x)"}
    assert forward == {("AddmmBackward0", "2"), ("AddmmBackward0", "0"), ("TanhBackward0", "1"),
                       ("TBackward0", "2"), ("TBackward0", "0")}  # fmt: skip


def test_what_a_hook_computes_is_no_forward(inspect_script):
    ran = inspect_script(
        """
        import torch
        w = torch.tensor(2.0, requires_grad=True)
        kept = []
        def hook(gradient):
            with torch.enable_grad():
                kept.append((w * 3).exp())
        y = w**2
        y.register_hook(hook)
        y.backward()
        z = kept[0].sin()
        z.backward()
        """,
        options=("-f", "json", "--backward", "2"),
    )
    assert by_number(ran, 1) == [
        ("SinBackward0", None, "z = kept[0].sin()", None),
        ("ExpBackward0", 1, "y.backward()", None),
        ("MulBackward0", 1, "y.backward()", None),
    ]


def test_a_forward_that_runs_again_in_backward(inspect_script):
    ran = inspect_script(
        """
        import torch
        from torch import nn
        block = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
        again = []
        class Rerun(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return block(x)
            @staticmethod
            def backward(ctx, gradient):
                (x,) = ctx.saved_tensors
                with torch.enable_grad():
                    again.append(block(x.detach().requires_grad_()))
                return gradient
        x = torch.rand(2, 3, requires_grad=True)
        Rerun.apply(x).sum().backward()
        again[0].sum().backward()
        """,
        options=("-f", "json", "--backward", "2"),
    )
    rows = by_number(ran, 1)
    assert rows[0] == ("SumBackward0", None, "again[0].sum().backward()", None)
    assert rows[1:] == [
        ("TanhBackward0", 1, "Rerun.apply(x).sum().backward()", "1"),
        ("AddmmBackward0", 1, "Rerun.apply(x).sum().backward()", "0"),
        ("TBackward0", 1, "Rerun.apply(x).sum().backward()", "0"),
    ]


def test_a_backward_within_a_module_makes_its_nodes(inspect_script):
    ran = inspect_script(
        """
        import torch
        from torch import nn
        class Force(nn.Module):
            def __init__(self):
                super().__init__()
                self.energy = nn.Linear(2, 1)
            def forward(self, x):
                e = torch.tanh(self.energy(x)).sum()
                (force,) = torch.autograd.grad(e, x, create_graph=True)
                return force * 2
        model = Force()
        model(torch.rand(3, 2, requires_grad=True)).sum().backward()
        """,
        options=("-f", "json", "--backward", "2"),
    )
    call = "(force,) = torch.autograd.grad(e, x, create_graph=True)"
    made = [row for row in by_number(ran, 1) if row[1] == 1]
    assert made and {(code, module) for _, _, code, module in made} == {(call, "")}
    assert ("MulBackward0", None, "return force * 2", "") in by_number(ran, 1)
