"""The watch at the engine's entry point: what it passes on, and that Dynamo does not see it."""

import weakref

import pytest
import torch

from inspector.recording.engine_hook import EngineHook


class Log:
    """An Observer that notes what it is told."""

    def __init__(self):
        self.calls = []
        self.ended = []
        self.instead = None

    def before_backward(self, call):
        self.calls.append(call)
        return len(self.calls)

    def after_backward(self, token, result, error):
        self.ended.append((token, result, error))

    def nested_call(self, token, call):
        pass

    def call_ended(self):
        pass

    def instead_of_return(self):
        return self.instead


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def watch(log):
    watch = EngineHook(log)
    watch.install()
    yield watch
    watch.uninstall()


def leaf(value=2.0):
    return torch.tensor(value, requires_grad=True)


def test_backward(watch, log):
    x = leaf()
    y = x**2
    y.backward(inputs=[x])
    (call,) = log.calls
    assert call.given.outputs == (y,) and call.given.inputs == (x,) and call.given.accumulates
    assert call.frame.f_code.co_name == "test_backward"
    ((token, _, error),) = log.ended
    assert (token, error) == (1, None)


def test_grad(watch, log):
    x = leaf()
    (gradient,) = torch.autograd.grad(x**2, x)
    (call,) = log.calls
    assert not call.given.accumulates and call.given.inputs == (x,)
    ((token, result, error),) = log.ended
    assert (token, error) == (1, None) and result[0] is gradient


def test_an_error_goes_through(watch, log):
    x = leaf()
    y = x.exp()
    y.backward()
    with pytest.raises(RuntimeError, match="second time") as raised:
        y.backward()
    assert log.ended[1][2] is raised.value


def test_instead_of_the_return(watch, log):
    def stop():
        raise SystemExit(3)

    x = leaf()
    log.instead = stop
    with pytest.raises(SystemExit):
        (x * 2).backward()
    assert x.grad == 2


def test_install_and_uninstall_twice(log):
    original = torch.autograd.graph._engine_run_backward
    watch = EngineHook(log)
    watch.install()
    installed = torch.autograd.graph._engine_run_backward
    watch.install()
    assert torch.autograd.graph._engine_run_backward is installed is torch.autograd._engine_run_backward
    watch.uninstall()
    watch.uninstall()
    assert torch.autograd.graph._engine_run_backward is original is torch.autograd._engine_run_backward


def test_somebody_wraps_it_later(log):
    """As torch.compiler does: our function stays within theirs, and only passes calls on."""
    watch = EngineHook(log)
    watch.install()
    ours = torch.autograd.graph._engine_run_backward

    def theirs(*args, **kwargs):
        return ours(*args, **kwargs)

    torch.autograd.graph._engine_run_backward = theirs
    try:
        watch.uninstall()
        assert torch.autograd.graph._engine_run_backward is theirs
        x = leaf()
        (x * 3).backward()
        assert x.grad == 3 and log.calls == []
    finally:
        torch.autograd.graph._engine_run_backward = torch.autograd._engine_run_backward
        assert torch.autograd._engine_run_backward is not ours


def test_nothing_is_held_after_a_call(watch, log):
    x = leaf()
    y = x**2
    gone = weakref.ref(y)
    y.backward()
    log.calls.clear()
    log.ended.clear()
    del y
    assert gone() is None


COMPILED = """
    import sys, torch, warnings
    import torch._dynamo.utils as utils
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    compiled = torch.compile(model, backend="aot_eager") if sys.argv[1] == "model" else None

    def whole(data):
        loss = model(data).sum()
        loss.backward()
        return loss

    step = torch.compile(whole, backend="aot_eager") if sys.argv[1] == "step" else None
    for k in range(5):
        model.zero_grad()
        data = torch.ones(3, 4) * k
        if compiled is not None:
            compiled(data).sum().backward()
        else:
            step(data)
    print(dict(utils.counters["frames"]), utils.counters["stats"]["unique_graphs"])
    print(dict(utils.counters["graph_break"]))
    print([p.grad.tolist() for p in model.parameters()])
"""


@pytest.mark.parametrize("what", ["model", "step"])
def test_compiled_code_compiles_as_without_us(what, inspect_script):
    warnings = "error::UserWarning" if what == "model" else None  # of a compiled step torch itself warns
    plain = inspect_script.plain(COMPILED, what, warnings=warnings)
    assert plain.status == 0, plain.stderr
    ran = inspect_script(COMPILED, what, warnings=warnings)
    assert (ran.status, ran.stdout) == (0, plain.stdout), ran.stderr
    assert "internal error" not in ran.stderr
    if what == "model":
        assert any("CompiledFunctionBackward" in row["name"] for row in ran.functions())
