"""Statements without effect, found in the text of a script and judged by what its variables hold."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable
from types import FrameType

import pytest
import torch
from torch import nn

import inspector
from inspector.recording.training.idle_code import IdleCode
from inspector.user_code.idle_statements import idle_statements, is_misspelt
from inspector.user_code.paths import UserFiles

BEFORE = """
class Meter:
    def __init__(self):
        self.step, self.total = 0, set()
    def clamp(self, low): pass
    def to(self, other): pass
class Own(torch.optim.SGD):
    pass
net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
optimizer, own = torch.optim.SGD(net.parameters(), lr=0.1), Own(net.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
x, meter, w = torch.ones(2), Meter(), net[0].weight
loss = net(x).sum()
"""

IDLE = {
    "loss.backward": "not_called",
    "optimizer.step": "not_called",
    "optimizer.zero_grad": "not_called",
    "scheduler.step": "not_called",
    "net.eval": "not_called",
    "net.train": "not_called",
    "w.requires_grad == False": "compared",
    "w.requires_grad is True": "compared",
    "net.training == False": "compared",
    "x.detach()": "dropped",
    "x.clamp(0)": "dropped",
    "x.to(torch.float64)": "dropped",
    "x.double()": "dropped",
    "w.mul(0.5)": "dropped",
    "x.masked_fill(x > 0, 1.0)": "dropped",
    "net.requires_grad = False": "of_module",
    "optimizer.lr = 0.5": "of_optimizer",
    "optimizer.momentum = 0.9": "of_optimizer",
    "w.require_grad = False": "misspelt",
    "w.requires_gradient = False": "misspelt",
    "w.requieres_grad = False": "misspelt",
}

REBOUND = {
    "for p in net.parameters():\n    p = p - 0.1 * p.grad": True,
    "for name, p in net.named_parameters():\n    print(name)\n    p = p.data - 0.1 * p.grad": True,
    "for p in net.parameters():\n    p = p - 0.1 * p.grad\n    print(p)": False,
    "for p in net.parameters():\n    p.data = p - 0.1 * p.grad": False,
    "for p in net.parameters():\n    p = p.detach()": False,
    "for p in net.parameters():\n    p -= 0.1 * p.grad": False,
}
"""Updates of a loop's variable, and whether they are lost."""

WORKING = (
    "loss.backward(retain_graph=True)",
    "net.eval()",
    "optimizer.step(); scheduler.step()",
    "w.requires_grad = False",
    "x.detach_()",
    "x.clamp_(0)",
    "y = x.detach()",
    "net.to(torch.float32)",
    "x.requires_grad_()",
    "x.sum().item()",
    "x.tolist()",
    "meter.step",
    "meter.clamp(0)",
    "meter.to(3)",
    "meter.total.add(3)",
    "meter.requires_grad = False",
    "own.lr = 0.5",
    "optimizer.note = 'of the script'",
    "w.shared = True",
    "net.training_steps = 3",
    "x.shape == (2,)",
    "print(x.requires_grad == False)",
    "assert w.requires_grad == True",
)


def rows_of(text: str, path: str, **more: object) -> list[dict]:
    """Run a script's text, and look for idle statements at its end, as at a backward call there.

    more: other variables of the script.
    """
    source = f"import torch\nfrom torch import nn\n{text}\nframe = here()\n"
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)

    def here() -> FrameType:
        return sys._getframe(1)

    variables = {"here": here, "__name__": "__main__", **more}
    exec(compile(source, path, "exec"), variables)
    code = IdleCode(UserFiles(path.rpartition("/")[0]))
    code.read(variables.pop("frame"))
    return [dict(row) for row in code.rows]


@pytest.mark.parametrize("statement", IDLE)
def test_a_statement_without_effect(statement, tmp_path):
    (row,) = rows_of(f"{BEFORE}{statement}\n", f"{tmp_path}/script.py")
    assert row["kind"] == IDLE[statement]
    assert statement.startswith(row["text"]) and row["source"]["code"] == statement
    assert row["source"]["line"] == len(BEFORE.splitlines()) + 3


@pytest.mark.parametrize("statement", WORKING)
def test_a_statement_with_an_effect(statement, tmp_path):
    assert rows_of(f"{BEFORE}{statement}\n", f"{tmp_path}/script.py") == []


@pytest.mark.parametrize("loop", REBOUND)
def test_an_update_of_the_variable_of_a_loop(loop, tmp_path):
    text = f"{BEFORE}loss.backward()\nwith torch.no_grad():\n    {loop.replace(chr(10), chr(10) + '    ')}\n"
    rows = rows_of(text, f"{tmp_path}/script.py")
    assert [row["kind"] for row in rows] == ["rebound"] * REBOUND[loop]


def test_what_torch_does_is_as_the_kinds_say():
    """The oracle: none of these changes what torch computes or which gradients it keeps."""
    net, x = nn.Linear(2, 2), torch.ones(2)
    net.requires_grad = False
    assert all(weight.requires_grad for weight in net.parameters())
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    optimizer.lr = 0.5
    assert optimizer.param_groups[0]["lr"] == 0.1
    net.weight.require_grad = False
    assert net.weight.requires_grad
    x.clamp(2)
    assert x.tolist() == [1.0, 1.0]


def test_functions_that_are_not_running(tmp_path):
    """What is certain without their variables is reported, if something refers to them."""
    text = """
def freeze(module):
    for p in module.parameters():
        p.requires_grad == False
        p.clamp(0)
def unused(module):
    module.loss.backward
freeze(nn.Linear(2, 2))
"""
    (row,) = rows_of(text, f"{tmp_path}/script.py")
    assert (row["kind"], row["text"], row["of"]) == ("compared", "p.requires_grad == False", None)


def test_a_method_that_has_returned(tmp_path):
    """`self` is looked up among the modules of the script."""
    text = """
class Net(nn.Module):
    def __init__(self, inner=None):
        super().__init__()
        self.encoder, self.ready = nn.Linear(2, 2), False
        self.encoder.requires_grad = False
        self.ready = True
        self.inner = inner
class Plain:
    def __init__(self):
        self.encoder = nn.Linear(2, 2)
        self.encoder.requires_grad = False
net = nn.Sequential(Net())
plain = Plain()
"""
    (row,) = rows_of(text, f"{tmp_path}/script.py")
    assert (row["kind"], row["text"], row["of"]) == ("of_module", "self.encoder.requires_grad", "Linear")
    assert row["source"]["line"] == 8


RETURNED = """
import torch.nn.functional as F
class Log:
    def add(self, x): self.last = x.detach().add(1)
class Net(nn.Module):
    def __init__(self, trains):
        super().__init__()
        self.a, self.b, self.log, self.trains = nn.Linear(3, 3), nn.Linear(3, 1), Log(), trains
    def forward(self, x):
        h = self.a(x)
        h.masked_fill(h < 0, 0.0)
        F.relu(h)
        F.relu(h, inplace=True)
        self.log.add(h)
        torch.zeros(1).to(torch.float64)
        return self.b(h)
    def freeze(self):
        for child in self.children():
            child.requires_grad = False
        for p in self.b.parameters():
            p.requires_grad = False
class Trainer:
    def __init__(self):
        self.net = Net(True)
        self.optimizer = torch.optim.SGD(self.net.a.parameters(), lr=0.1)
    def adjust(self, optimizer):
        optimizer.lr = 0.05
    def fit(self):
        self.net.freeze()
        for _ in range(2):
            self.optimizer.zero_grad()
            self.net(torch.ones(2, 3)).sum().backward()
            self.optimizer.step()
            self.adjust(self.optimizer)
"""


def statements_of(text: str, path: str, run: Callable[[dict], object]) -> list[tuple[str, str]]:
    """What a recording says of the statements of a script. run: runs it, given its variables."""
    source = f"import torch\nfrom torch import nn\n{text}"
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    variables: dict = {"__name__": "__main__"}
    exec(compile(source, path, "exec"), variables)
    with inspector.record() as recording:
        run(variables)
    rows = recording.report().inventory.statements
    return [(row["kind"], row["text"]) for row in rows]


def test_what_ran_in_functions_that_have_returned(tmp_path, monkeypatch):
    """By the operations that they called, and by the attributes that modules and optimizers have since."""
    monkeypatch.chdir(tmp_path)
    assert statements_of(RETURNED, f"{tmp_path}/script.py", lambda script: script["Trainer"]().fit()) == [
        ("dropped", "h.masked_fill(h < 0, 0.0)"),
        ("dropped", "F.relu(h)"),
        ("of_module", "child.requires_grad"),
        ("of_optimizer", "optimizer.lr"),
    ]


def test_an_attribute_that_two_assignments_may_have_set(tmp_path, monkeypatch):
    """Neither is blamed, unless the owner of one is known."""
    monkeypatch.chdir(tmp_path)
    path, more = f"{tmp_path}/script.py", "optimizer.lr = 0.05\n        other.lr = 0.05"
    text = RETURNED.replace("optimizer.lr = 0.05", more).replace("(self, optimizer)", "(self, optimizer, other)")
    text = text.replace("self.adjust(self.optimizer)", "self.adjust(self.optimizer, Log())")
    found = statements_of(text, path, lambda script: script["Trainer"]().fit())
    assert {kind for kind, _ in found} == {"dropped", "of_module"}


def test_a_class_may_have_a_flag_of_this_name(tmp_path):
    text = """
class Block(nn.Module):
    def __init__(self, requires_grad):
        super().__init__()
        self.requires_grad, self.inner = requires_grad, nn.Linear(2, 2)
        self.requires_grad = requires_grad
        for p in self.parameters():
            p.requires_grad = self.requires_grad
net = Block(True)
"""
    assert rows_of(text, f"{tmp_path}/script.py") == []
    (row,) = rows_of(text.replace("= self.requires_grad\n", "= True\n"), f"{tmp_path}/script_2.py")
    assert row["kind"] == "of_module"


CELLS = {"x.double()": 0, "w.requires_grad == False": 0, "net.eval": 1}


@pytest.mark.parametrize(("statement", "count"), CELLS.items())
def test_a_notebook_shows_the_value_of_an_expression(statement, count, tmp_path):
    assert len(rows_of(f"{BEFORE}{statement}\n", f"{tmp_path}/cell.py", get_ipython=lambda: None)) == count


def test_no_code_of_the_script_runs(tmp_path):
    text = """
class Sly:
    def __getattr__(self, name):
        raise SystemExit("it ran")
    @property
    def clamp(self):
        raise SystemExit("it ran")
    @property
    def __class__(self):
        raise SystemExit("it ran")
sly = Sly()
def f():
    sly.clamp(0)
    sly.inner.clamp(0)
    sly.requires_grad = False
f
"""
    assert rows_of(text, f"{tmp_path}/script.py") == []


@pytest.mark.parametrize("text", ["", "x = (", "\0", "x.step\n" * 2])
def test_any_text(text):
    found = idle_statements(text)
    assert len(found) == text.count("x.step")


PARTIAL = """
class Reads(nn.Module):
    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.5)
    def forward(self, x):
        return self.drop(x) if self.training else x
deep = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.BatchNorm1d(2), nn.ReLU()), nn.Dropout(0.1))
plain, reads = nn.Sequential(nn.Linear(2, 2), nn.ReLU()), Reads()
one = torch.optim.AdamW(deep.parameters(), lr=0.1)
weights = [p for p in deep.parameters() if p.ndim > 1]
groups = [{"params": weights, "weight_decay": 0.1}, {"params": [p for p in deep.parameters() if p.ndim < 2]}]
split = torch.optim.AdamW(groups, lr=0.1)
halves = torch.optim.SGD([{"params": [deep[0].weight]}, {"params": [deep[0].bias]}], lr=0.1)
"""

PARTLY = {
    "deep.training = False": "of_parent",
    "deep.training = True": "of_parent",
    "split.param_groups[0]['lr'] = 0.5": "of_group",
    'split.param_groups[0]["lr"] *= 0.5': "of_group",
    'def adjust(split):\n    split.param_groups[-1]["lr"] = 0.5\nadjust(split)': "of_group",
    "def validate(deep):\n    deep.training = False\nvalidate(deep)": "of_parent",
    "deep[2].training = False": None,
    "plain.training = False": None,
    "reads.training = False": None,
    "deep.training = bool(one)": None,
    "for deep in deep.modules(): deep.training = False": None,
    "one.param_groups[0]['lr'] = 0.5": None,
    "halves.param_groups[0]['lr'] = 0.5": None,
    "split.param_groups[0]['lr'] = 0.5\nsplit.param_groups[1]['lr'] = 0.5": None,
    "for group in split.param_groups: group['lr'] = 0.5\nsplit.param_groups[0]['lr'] = 1.0": None,
    "more = {'params': [], 'lr': 0.1}\nsplit.param_groups[0]['lr'] = 1.0": None,
    "split.param_groups[0]['weight_decay'] = 0.0": None,
    "split.param_groups[0]['note'] = 1": None,
}
"""Assignments to one of several parts, and what they are; None where the others are not meant."""


@pytest.mark.parametrize("statement", PARTLY)
def test_an_assignment_to_one_of_several(statement, tmp_path):
    rows = rows_of(f"{PARTIAL}{statement}\n", f"{tmp_path}/script.py")
    assert [row["kind"] for row in rows] == [PARTLY[statement]] * (PARTLY[statement] is not None)
    assert all(row["text"] in statement for row in rows)
    assert all(row["inside"] == ["1.0", "2"] for row in rows if row["kind"] == "of_parent")


def test_the_mode_of_a_module_is_its_own():
    """The oracle."""
    net = nn.Sequential(nn.Dropout(0.5))
    net.training = False
    assert net[0].training


def test_misspellings():
    assert all(map(is_misspelt, ("require_grad", "requires_grads", "require_grads", "requires_gard")))
    assert not any(map(is_misspelt, ("requires_grad", "grad", "require", "training", "required")))
