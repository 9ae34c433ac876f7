"""The forward recorder on scripts that are real files: lines, modules, names, values, cuts, writes."""

from __future__ import annotations

import linecache
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from global_hooks import global_hooks

from inspector.recording.forward import ForwardRecord, ForwardRecorder
from inspector.recording.forward.cuts_and_writes import CutsAndWrites
from inspector.tensor_stats import Batch
from inspector.user_code.paths import UserFiles

GPT = """
import torch
from torch import nn
import torch.nn.functional as F

class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (part.view(b, t, self.heads, c // self.heads).transpose(1, 2)
                   for part in self.qkv(x).split(c, dim=2))
        scores = (q @ k.transpose(-2, -1)) / (c // self.heads) ** 0.5
        scores = scores.masked_fill(torch.ones(t, t).tril() == 0, float("-inf"))
        mixed = F.softmax(scores, dim=-1) @ v
        return self.out(mixed.transpose(1, 2).reshape(b, t, c))

class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(
            self.norm2(x)
        )

class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.token, self.position = nn.Embedding(11, 16), nn.Embedding(8, 16)
        self.blocks = nn.ModuleList(Block(16, 2) for _ in range(2))
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 11, bias=False)
        self.head.weight = self.token.weight

    def forward(self, index, target):
        x = self.token(index) + self.position(torch.arange(index.shape[1]))
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.norm(x))
        return F.cross_entropy(logits.view(-1, 11), target.view(-1))

torch.manual_seed(0)
model = GPT()
index = torch.randint(11, (2, 8))
loss = model(index, index.roll(-1, 1)) * 1.0
"""


@dataclass
class Run:
    """A script that ran, and what was recorded."""

    recorder: ForwardRecorder
    names: dict[str, Any]
    path: str

    @property
    def recorded(self) -> CutsAndWrites:
        return self.recorder.record.cuts_and_writes

    def nodes(self, root: Any) -> list[Any]:
        """The Nodes below a tensor, without AccumulateGrad, by number."""
        found: set[Any] = set()
        waiting = [root.grad_fn]
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting.extend(below for below, _ in node.next_functions if below is not None)
        nodes = [node for node in found if not node.name().endswith("AccumulateGrad")]
        return sorted(nodes, key=lambda node: node._sequence_nr())

    def output(self, name: str) -> Any:
        """What was recorded of the tensor that a variable of the script holds."""
        tensor = self.names[name]
        return self.recorder.nodes().output(tensor.grad_fn._sequence_nr(), tensor.output_nr)

    def line(self, number: int) -> int:
        source = self.recorder.nodes().source(number)
        assert "line" in source, source
        return int(source["line"])

    def line_of(self, text: str) -> int:
        lines = linecache.getlines(self.path)
        return 1 + next(index for index, line in enumerate(lines) if text in line)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Whatever a test does, nothing of ours may stay behind."""
    compile_before, push, tracer = torch.compile, torch.overrides._push_mode, sys.gettrace()
    yield
    assert sys.gettrace() is tracer
    assert threading.gettrace() is None
    assert torch._C._len_torch_function_stack() == 0
    assert not any(global_hooks().values())
    assert torch.compile is compile_before
    assert torch.overrides._push_mode is push


@pytest.fixture
def run(tmp_path: Path) -> Any:
    count = 0

    def run(text: str, mode: Any = "full", before: Any = None) -> Run:
        nonlocal count
        count += 1
        path = tmp_path / f"script{count}.py"
        path.write_text(text)
        batch = Batch()
        recorder = ForwardRecorder(mode, ForwardRecord(batch, UserFiles(str(tmp_path))))
        names: dict[str, Any] = {"__name__": "__main__", "recorder": recorder}
        code = compile(text, str(path), "exec")
        recorder.start()
        try:
            exec(code, names)
        finally:
            recorder.stop()
            batch.read()
        assert not [reason for reason in recorder.record.remarks if "internal error" in reason]
        return Run(recorder, names, str(path))

    return run


def oracle_lines(text: str, path: str) -> dict[int, int]:
    """By number relative to the first Node: the innermost line of the script, by torch's anomaly mode."""
    start = torch._C._autograd._get_sequence_nr()
    names: dict[str, Any] = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.autograd.set_detect_anomaly(True, check_nan=False)
        try:
            exec(compile(text, path, "exec"), names)
        finally:
            torch.autograd.set_detect_anomaly(False)
    lines = {}
    for node in Run(None, names, path).nodes(names["loss"]):  # type: ignore[arg-type]
        frames = [entry for entry in node.metadata["traceback_"] if f'"{path}"' in entry]
        lines[node._sequence_nr() - start] = int(frames[-1].split("line ")[1].split(",")[0])
    return lines


def check_lines(run: Any, text: str, mode: str) -> int:
    """Every Node of a script has the line that torch's anomaly mode gives it. How many there are."""
    start = torch._C._autograd._get_sequence_nr()
    ran = run(text, mode)
    nodes = ran.nodes(ran.names["loss"])
    found = {node._sequence_nr() - start: ran.line(node._sequence_nr()) for node in nodes}
    assert found == oracle_lines(text, ran.path)
    return len(nodes)


@pytest.mark.parametrize("mode", ["full", "light"])
def test_every_node_of_a_gpt_has_its_line(run: Any, mode: str) -> None:
    assert check_lines(run, GPT, mode) > 80


class ModuleOracle:
    """Paths by wrapping `forward` of every module of one model: independent of global hooks and ranges."""

    def __init__(self, model: Any) -> None:
        self.made: dict[int, str] = {}
        self.stack: list[str] = []
        seen = set()
        for path, module in model.named_modules(remove_duplicate=False):
            if module not in seen:
                seen.add(module)
                self._wrap(path, module)

    def _wrap(self, path: str, module: Any) -> None:
        forward = module.forward

        def wrapped(*arguments: Any, **options: Any) -> Any:
            self.stack.append(path)
            try:
                return forward(*arguments, **options)
            finally:
                self.stack.pop()

        module.forward = wrapped


def test_every_node_of_a_gpt_has_its_module(run: Any) -> None:
    from torch.utils._python_dispatch import TorchDispatchMode

    first = torch._C._autograd._get_sequence_nr()
    ran = run(GPT, "light")
    got = {
        node._sequence_nr() - first: ran.recorder.nodes().module(node._sequence_nr())
        for node in ran.nodes(ran.names["loss"])
    }
    oracle = ModuleOracle(ran.names["model"])
    start = torch._C._autograd._get_sequence_nr()

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            number = torch._C._autograd._get_sequence_nr() - 1 - start  # the Node is made before the kernel runs
            oracle.made.setdefault(number, oracle.stack[-1] if oracle.stack else "outside")
            return function(*args, **(kwargs or {}))

    with Watch():
        names = ran.names
        _ = names["model"](names["index"], names["index"].roll(-1, 1)) * 1.0
    expected = {number: None if path == "outside" else path for number, path in oracle.made.items()}
    assert got == {number: expected[number] for number in got}
    assert {"blocks.1.attention.qkv", "blocks.0", "blocks.0.mlp.1", "head", "", None} <= set(got.values())


FORMS = """
import torch
import torch.nn.functional as F

class Holder: pass
self = Holder()
u = torch.tensor([1.0, 2.0], requires_grad=True)
v = torch.tensor([3.0, 4.0], requires_grad=True)
a = u * v
b, c = a.unbind()
self.h = a.sin()
h = self.h
d: torch.Tensor = torch.exp(a)
e = F.relu(a)
e2 = 1 - a
chain = (
    a
    .sin()
    .cos()
)
if (w := a.tanh()).sum() > 0:
    pass
total = a.sum()
total += 1
total2 = total.clone()
total2.mul_(2)
def product(left, right):
    return left * right
result = product(a, d)
listed = [item * 2 for item in (b, c)]
first = listed[0]
box = {}
box["key"] = a - 1
boxed = box["key"]
cosine = (lambda s: s.cos())(a)
def numbers():
    for item in (b, c):
        yield item * 3
one, two = numbers()
mean, = (a.mean(),)
summed = sum([a, d, e])
values, where = a.max(dim=0)
é = "é"; after_byte_columns = u / v
"""


COMMENTED = """
import torch
u, v = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0, 5.0], requires_grad=True)
chain = (
    (u - v)  # the residual: {not a placeholder} 100 %
    .pow(2)
        # "half" a comment, ‖x‖₂ → ∞
    .mean()
)  # after
text = (u * v * len("# no comment"))  # λ=0.1
named = torch.stack([u,  # left
  v]).sum(
)
spread = f"{(u / v).sum()}"; beside = u.exp(  # one
    ).sum() + v.sum()  # two
block = u.sin(
    # nothing but a comment
)
"""


def test_comments_are_in_no_expression(run: Any) -> None:
    ran = run(COMMENTED)
    expected = {
        "chain": "(u - v)\n    .pow(2)\n    .mean()",
        "text": 'u * v * len("# no comment")',
        "named": "torch.stack([u,\n  v]).sum(\n)",
        "beside": "u.exp(\n    ).sum() + v.sum()",
        "block": "u.sin(\n)",
    }
    assert {name: ran.output(name).expression for name in expected} == expected
    for name in expected:
        assert ran.output(name).name == name
        assert all(word not in ran.output(name).source["code"] for word in ("residual", "half", "left", "two"))


def test_names_and_expressions(run: Any) -> None:
    ran = run(FORMS)
    expected = {
        "a": ("a", "u * v"),
        "b": ("b", "a.unbind()"),
        "c": ("c", "a.unbind()"),
        "h": ("self.h", "a.sin()"),
        "d": ("d", "torch.exp(a)"),
        "e": ("e", "F.relu(a)"),
        "e2": ("e2", "1 - a"),
        "chain": ("chain", "a\n    .sin()\n    .cos()"),
        "w": ("w", "a.tanh()"),
        "total": ("total", "total += 1"),
        "total2": ("total2", "total2.mul_(2)"),
        "result": ("result", "left * right"),
        "first": (None, "item * 2"),
        "boxed": ('box["key"]', "a - 1"),
        "cosine": ("cosine", "s.cos()"),
        "one": (None, "item * 3"),
        "mean": (None, "a.mean()"),
        "summed": ("summed", "sum([a, d, e])"),
        "values": ("values", "a.max(dim=0)"),
        "after_byte_columns": ("after_byte_columns", "u / v"),
    }
    got = {name: (ran.output(name).name, ran.output(name).expression) for name in expected}
    assert got == expected
    for name in expected:
        if name not in ("total2",):
            assert ran.output(name).value.value == ran.names[name].tolist(), name
    step = ran.names["summed"].grad_fn.next_functions[0][0]
    assert ran.recorder.nodes().output(step._sequence_nr(), 0).name is None
    assert ran.output("chain").source["code"].startswith("chain = (")
    assert ran.line(ran.names["one"].grad_fn._sequence_nr()) == ran.line_of("yield item * 3")
    assert ran.line(ran.names["cosine"].grad_fn._sequence_nr()) == ran.line_of("lambda s")


MODULES = """
import torch
from torch import nn

class Stop(BaseException): pass

class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)
    def forward(self, x, fail=None):
        y = self.fc(x)
        if fail:
            raise fail
        return y.relu()

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Inner()
        self.second = self.first
        self.hidden = [nn.Linear(2, 2)]
    def forward(self, x, fail=None):
        x = self.first(x)
        try:
            self.second(x, fail)
        except (ValueError, Stop):
            pass
        x = self.hidden[0](x)
        return x * 2

net = Net()
x = torch.ones(1, 2)
good = net(x)
failed = net(x, ValueError())
stopped = net(x, Stop())
try:
    net.first(x, Stop())
except Stop:
    pass
after = net(x)
criterion = nn.MSELoss()
loss = criterion(after, x)
outside = loss * 2
rnn = nn.LSTM(2, 3)
sequence, (state, cell) = rnn(torch.ones(4, 1, 2))
"""


@pytest.mark.parametrize("mode", ["full", "light"])
def test_nested_shared_and_failing_modules(run: Any, mode: str) -> None:
    ran = run(MODULES, mode)
    expected = ["first.fc", "first.fc", "first", "hidden[0]", "hidden[0]", ""]
    for name in ("good", "failed", "stopped", "after"):
        got = [ran.recorder.nodes().module(node._sequence_nr()) for node in ran.nodes(ran.names[name])]
        assert got == expected, name
    paths = {
        node.name(): ran.recorder.nodes().module(node._sequence_nr()) for node in ran.nodes(ran.names["outside"])
    }
    assert paths["MseLossBackward0"] == ""
    roots = ran.recorder.record.modules.roots
    assert [root.kind for root in roots] == ["Net", "Inner", "MSELoss", "LSTM"]
    call = ran.recorder.nodes().module_call(ran.names["loss"].grad_fn._sequence_nr())
    assert call.root == 2 and roots[2].reference() is ran.names["criterion"]
    assert ran.recorder.nodes().module(ran.names["outside"].grad_fn._sequence_nr()) is None
    assert ran.recorder.nodes().module(ran.names["sequence"].grad_fn._sequence_nr()) == ""
    if mode == "full":
        assert ran.output("sequence").name == "sequence"
        assert ran.output("after").name == "after"


CUSTOM = """
import torch
from torch.utils.checkpoint import checkpoint

class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x * 2
        return y
    @staticmethod
    def backward(ctx, g):
        return g * 2

x = torch.ones(3, requires_grad=True)
doubled = Double.apply(x)
loss = doubled.sum()

def block(t):
    s = t.sin()
    return s.cos()

plain = checkpoint(block, x, use_reentrant=False)
entered = checkpoint(block, x, use_reentrant=True)
(plain.sum() + entered.sum()).backward()
"""


def test_custom_function_and_checkpoints(run: Any) -> None:
    ran = run(CUSTOM)
    doubled = ran.output("doubled")
    assert (doubled.name, doubled.expression, doubled.value.value) == (
        "doubled",
        "Double.apply(x)",
        [2.0, 2.0, 2.0],
    )
    assert ran.recorded.cuts() == []  # inside of a custom Function's forward torch turns gradients off itself
    nodes = ran.nodes(ran.names["plain"])
    assert [ran.line(node._sequence_nr()) for node in nodes] == [
        ran.line_of("s = t.sin()"),
        ran.line_of("return s.cos()"),
    ]
    number = ran.names["entered"].grad_fn._sequence_nr()
    assert ran.recorder.nodes().source(number)["code"].startswith("entered = checkpoint(")
    expected = -torch.sin(torch.sin(torch.ones(3))) * torch.cos(torch.ones(3)) * 2
    assert torch.equal(ran.names["x"].grad, expected)


FLOW = """
import torch
p = torch.ones(2, requires_grad=True)
h = p * 3
d = h.detach()
e = d + 1
back = e * p
raw = p.data
number = h.sum().item()
listed = h.tolist()
array = h.detach().numpy()
best = h.argmax()
larger = h > 2
whole = h.long()
again = torch.tensor(h.sum())
zeros = torch.zeros_like(h)
with torch.no_grad():
    blind = h * 2
    p.add_(1)
with torch.inference_mode():
    blinder = h * 2
print(h.shape, h.requires_grad, len(h), h.dtype, sep="", file=open("/dev/null", "w"))
view = h[0]
h.mul_(2)
h[0] = 1.0
r = torch.relu_(h.clone())
"""


@pytest.mark.filterwarnings("ignore")
def test_cuts_and_writes(run: Any) -> None:
    ran = run(FLOW)
    cuts = [(cut["kind"], cut["name"], cut["code"]) for cut in ran.recorded.cuts()]
    assert cuts == [
        ("detach", "h", "h.detach()"),
        ("data", "p", "p.data"),
        ("item", "h.sum()", "h.sum().item()"),
        ("tolist", "h", "h.tolist()"),
        ("detach", "h", "h.detach()"),
        ("integer", "h", "h.argmax()"),
        ("comparison", None, "h > 2"),
        ("integer", "h", "h.long()"),
        ("tensor", "h.sum()", "torch.tensor(h.sum())"),
        ("no_grad", None, "h * 2"),
        ("inference_mode", None, "h * 2"),
    ]
    assert all(cut["from"] is not None or cut["leaf"] is not None for cut in ran.recorded.cuts())
    assert ran.recorded.leaves.tensor(ran.recorded.cuts()[1]["leaf"]) is ran.names["p"]
    assert ran.output("back").cuts == {0}
    writes = [
        (write["operation"], write["name"], write["before"], write["after"]) for write in ran.recorded.writes()
    ]
    assert writes == [
        ("add_", "p", 0, 1),
        ("mul_", "h", 0, 1),
        ("__setitem__", "h", 1, 2),
        ("relu_", "h.clone()", 0, 1),
    ]
    first = ran.recorder.nodes().output(*ran.recorded.writes()[1]["to"])
    assert first.name == "h" and first.value.value == [3.0, 3.0]
    assert ran.output("h").name == "h" and ran.output("h").value.value == [1.0, 6.0]


STARTED = """
import starter
import torch
x = torch.ones(2, requires_grad=True)
y = x * 2
for turn in range(3):
    y = y + turn
loss = y.sum()
"""


def test_a_start_inside_of_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the command does: torch is imported by the script, and only then anything can be installed."""
    (tmp_path / "starter.py").write_text("import __main__\n__main__.recorder_to_start.start()\n")
    script = tmp_path / "script.py"
    script.write_text(STARTED)
    monkeypatch.syspath_prepend(str(tmp_path))
    recorder = ForwardRecorder("light", ForwardRecord(Batch(), UserFiles(str(tmp_path))))
    monkeypatch.setattr(sys.modules["__main__"], "recorder_to_start", recorder, raising=False)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(STARTED, str(script), "exec"), names)
    recorder.stop()
    ran = Run(recorder, names, str(script))
    lines = [ran.line(node._sequence_nr()) for node in ran.nodes(names["loss"])]
    assert lines == [5, 7, 7, 7, 8]


def test_a_view_that_was_written_is_not_asked_for_its_node(run: Any) -> None:
    """Reading its grad_fn would make a Node of ours in the user's graph."""
    text = """
import torch
x = torch.ones(4, requires_grad=True)
b = x * 2
before = torch._C._autograd._get_sequence_nr()
v = b[:2]
v.mul_(3)
d = v.detach()
after = torch._C._autograd._get_sequence_nr()
loss = b.sum()
"""
    plain: dict[str, Any] = {}
    exec(text, plain)
    ran = run(text)
    assert ran.names["after"] - ran.names["before"] == plain["after"] - plain["before"]
    assert [write["operation"] for write in ran.recorded.writes()] == ["mul_"]


MODULES_OF_TORCH = """
import torch
from torch import nn
from torch.nn.utils import parametrize

class Doubled(nn.Module):
    def forward(self, weight):
        doubled = weight * 2
        return doubled + 0.0

class Interrupting(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, arguments=(), options=None):
        if function is nn.functional.linear:
            raise KeyboardInterrupt
        return super().__torch_function__(function, types, arguments, options or {})

def hook(module, arguments, output):
    longer = output * 2
    return longer.tanh()

def forward(x):
    y = x.exp()
    return y.log()

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.plain, self.hooked, self.patched, self.parametrized = (nn.Linear(3, 3) for _ in range(4))
        self.hooked.register_forward_hook(hook)
        self.patched.forward = forward
        parametrize.register_parametrization(self.parametrized, "weight", Doubled())

    def forward(self, x):
        x = self.plain(x)
        x = self.hooked(x)
        x = self.patched(x)
        x = self.parametrized(x)
        for bad in (torch.ones(4), torch.ones(3).as_subclass(Interrupting)):
            try:
                self.plain(bad)
            except (RuntimeError, KeyboardInterrupt):
                x = x + 1
            x = x * 2
        x = self.plain(x)
        return x - 1

model = Model()
loss = model(torch.ones(2, 3)).sum()
"""


@pytest.mark.parametrize("mode", ["full", "light"])
def test_lines_within_and_after_modules_of_torch(run: Any, mode: str) -> None:
    """Whatever of the user's runs within them, and however they end."""
    assert check_lines(run, MODULES_OF_TORCH, mode) > 15


def test_values_after_writes_that_no_version_counts(run: Any) -> None:
    ran = run(
        "import torch\n"
        "x = torch.ones(20, requires_grad=True)\n"
        "h = x * 2\n"
        "a = h.view(4, 5)\n"
        "h.data.mul_(3)\n"
        "b = h.view(4, 5)\n"
        "h.detach().numpy()[:] = 1\n"
        "c = h.view(4, 5)\n"
    )
    means = [ran.output(name).value.value["mean"] for name in "habc"]
    assert means == [2.0, 2.0, 6.0, 1.0]
