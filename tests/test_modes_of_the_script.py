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
