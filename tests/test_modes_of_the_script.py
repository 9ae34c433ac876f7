"""Modes and tensor classes of a script see its own operations only, never those of the inspector."""

import textwrap

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from undisturbed import run_both

import inspector

DISPATCH = """
import torch
from torch.utils._python_dispatch import TorchDispatchMode
class Count(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.seen = []
    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        self.seen.append(str(function))
        return function(*arguments, **(options or {}))
model = torch.nn.Sequential(torch.nn.Linear(40, 40), torch.nn.GELU(), torch.nn.LayerNorm(40))
torch.manual_seed(0)
"""

SCRIPTS = {
    "dispatch-mode": """
        with Count() as count:
            loss = model(torch.randn(8, 40)).pow(2).mean()
        loss.backward()
        with Count() as again:
            model(torch.randn(8, 40)).sum().backward()
        print(count.seen, again.seen)
        """,
    "dispatch-mode-around-training": """
        optimizer = torch.optim.Adam(model.parameters())
        mask = torch.ones(8, 40)
        with Count() as count:
            for _ in range(2):
                optimizer.zero_grad()
                hidden = model(torch.randn(8, 40))
                hidden[0] = 0
                loss = (hidden * mask).sum()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                print(loss.detach().item())
        print(count.seen)
        """,
    "two-dispatch-modes": """
        with Count() as outer, Count() as inner:
            model(torch.randn(8, 40)).sum().backward()
        print(outer.seen == inner.seen, inner.seen)
        """,
    "function-mode": """
        from torch.overrides import TorchFunctionMode, resolve_name
        class Names(TorchFunctionMode):
            seen = []
            def __torch_function__(self, function, types, arguments=(), options=None):
                self.seen.append(resolve_name(function))
                return function(*arguments, **(options or {}))
        with Names():
            loss = model(torch.randn(8, 40)).pow(2).mean()
            loss.backward()
        print(Names.seen)
        """,
    "flop-counter": """
        from torch.utils.flop_counter import FlopCounterMode
        with FlopCounterMode(display=False) as counter:
            model(torch.randn(8, 40)).sum().backward()
        print(counter.get_total_flops())
        """,
    "subclass-that-counts": """
        class Counted(torch.Tensor):
            seen = []
            @classmethod
            def __torch_function__(cls, function, types, arguments=(), options=None):
                cls.seen.append(getattr(function, "__name__", str(function)))
                return super().__torch_function__(function, types, arguments, options or {})
        x = torch.randn(4, 5).as_subclass(Counted).requires_grad_()
        y = (x * 2).relu()
        y[0] = 1
        y.sum().backward()
        print(Counted.seen)
        """,
    "wrapper-subclass": """
        class Logged(torch.Tensor):
            seen = []
            @staticmethod
            def __new__(cls, inner):
                made = torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)
                made.inner = inner
                return made
            def __init__(self, inner):
                pass
            @classmethod
            def __torch_dispatch__(cls, function, types, arguments=(), options=None):
                cls.seen.append(str(function))
                tree_map = torch.utils._pytree.tree_map_only
                opened, named = tree_map(cls, lambda item: item.inner, (arguments, options or {}))
                return tree_map(torch.Tensor, cls, function(*opened, **named))
        x = Logged(torch.randn(4, 5)).requires_grad_()
        y = (x * 2).relu()
        y.mul_(3)
        y[0] = 1
        y.sum().backward()
        print(Logged.seen, x.grad.inner)
        """,
    "anomaly-and-hooks": """
        with Count() as count, torch.autograd.detect_anomaly(check_nan=True):
            hidden = model(torch.randn(8, 40))
            hidden.register_hook(lambda gradient: gradient * 2)
            hidden.sum().backward()
        print(count.seen)
        """,
    "dispatch-mode-in-each-step-with-a-scaler": """
        optimizer, scaler = torch.optim.RMSprop(model.parameters()), torch.amp.GradScaler("cpu")
        for step in range(5):
            with Count() as count:
                with torch.autocast("cpu", torch.bfloat16):
                    loss = model(torch.randn(8, 40)).float().pow(2).mean()
                optimizer.zero_grad()
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
            print(step, count.seen)
        """,
    "subclass-with-data-of-its-own": """
        class Measured(torch.Tensor):
            seen = []
            @classmethod
            def __torch_function__(cls, function, types, arguments=(), options=None):
                cls.seen.append(getattr(function, "__name__", str(function)))
                units = sorted({item.unit for item in arguments if isinstance(item, cls)})
                result = super().__torch_function__(function, types, arguments, options or {})
                if isinstance(result, cls):
                    result.unit = "|".join(units)
                return result
        def measured(unit):
            made = torch.randn(8, 40).as_subclass(Measured)
            made.unit = unit
            return made
        F, cell = torch.nn.functional, torch.nn.GRUCell(40, 40)
        for _ in range(5):
            x = measured("m")
            y = F.dropout(cell(model(x), x) @ torch.randn(40, 40).T, 0.1)
            y = torch.nn.functional.linear(x.T, x.T.contiguous()[:, :8]).sum() + F.mse_loss(y, x)
            y.backward()
            print(type(y).__name__, y.unit, y.item())
        print(Measured.seen, x.double().unit)
        """,
    "profiler": """
        import os
        from torch.profiler import ProfilerActivity, profile
        def quietly(call, *arguments):  # it prints that it starts and stops
            kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            call(*arguments)
            os.dup2(kept, 2)
        optimizer = torch.optim.Adam(model.parameters())
        for step in range(5):
            seen = profile(activities=[ProfilerActivity.CPU])
            quietly(seen.__enter__)
            optimizer.zero_grad()
            hidden = model(torch.randn(8, 40))
            hidden[0] = 0
            hidden.pow(2).mean().backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            quietly(seen.__exit__, None, None, None)
            print(step, sorted((row.key, row.count) for row in seen.key_averages()))
        """,
    "random-numbers-and-state": """
        import random, sys
        random.seed(1)
        noisy = torch.nn.Sequential(torch.nn.Linear(40, 40), torch.nn.Dropout(0.5), torch.nn.RReLU())
        for _ in range(5):
            torch.distributions.Normal(noisy(torch.randn(5, 40)), 1.0).rsample().sum().backward()
            print(random.random(), torch.rand(1).item(), noisy[0].weight.grad.sum().item())
        print(torch.get_rng_state().sum(), torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"))
        print(torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled(), sys.gettrace())
        """,
    "forward-mode": """
        import torch.autograd.forward_ad as forward_mode
        x = torch.randn(3, 40)
        with forward_mode.dual_level():
            primal, tangent = forward_mode.unpack_dual(model(forward_mode.make_dual(x, torch.ones_like(x))))
            (primal.sum() + tangent.pow(2).sum()).backward()
        print(tangent.sum(), model[0].weight.grad.norm())
        (torch._efficientzerotensor(40) + model[0].bias).sum().backward()
        """,
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_mode_sees_what_it_sees_under_python(inspect_script, script):
    ran = run_both(inspect_script, DISPATCH + textwrap.dedent(SCRIPTS[script]))
    assert ran.calls and not ran.report["recording"].get("remarks")


class Functions(TorchFunctionMode):
    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_function__(self, function, types, arguments=(), options=None):
        self.seen.append(function)
        return function(*arguments, **(options or {}))


class Operations(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        self.seen.append(function)
        return function(*arguments, **(options or {}))


@pytest.mark.parametrize("kind", [Functions, Operations])
def test_a_mode_does_not_see_the_library(kind):
    weight = torch.randn(40, requires_grad=True)
    loss = (weight * 2).sum()
    inspector.trace(loss * 2)  # the first use imports modules, which ask torch what it has
    with kind() as mode:
        graph = inspector.trace(loss)
        graph.make()
        graph.at("before")
    assert mode.seen == []
    with kind() as mode:
        loss.backward(retain_graph=True)
    plain, weight.grad = mode.seen, None
    with kind() as mode, inspector.record() as recording:
        loss.backward()
    assert [str(item) for item in mode.seen] == [str(item) for item in plain]
    assert len(recording.calls) == 1
    with kind() as mode:
        recording.report()
    assert mode.seen == []


def test_a_line_is_not_that_of_a_class_that_passes_calls_on(inspect_script):
    """`loss.backward()` of a tensor class runs in the method of the class that handles it."""
    code = """
    import torch
    class Passing(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, arguments=(), options=None):
            return super().__torch_function__(function, types, arguments, options or {})
    x = torch.ones(3).as_subclass(Passing).requires_grad_()
    optimizer = torch.optim.SGD([x], lr=0.1)
    loss = (x * 2).sum()
    loss.backward()
    optimizer.step()
    """
    ran = inspect_script(code)
    assert ran.calls[0]["location"] == {"file": "script.py", "line": 10, "code": "loss.backward()"}
    assert {row["source"]["line"] for row in ran.functions() if row["source"]} == {9}
    assert {row["source"]["code"] for row in ran.report["events"]} == {"optimizer.step()"}
