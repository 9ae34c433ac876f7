"""Training in a library: locations name the library's line and the user's line that led to it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from running import Ran, ScriptRunner

import inspector
from inspector.commands.ci_annotations import workflow_commands
from inspector.report import Finding
from inspector.user_code.paths import UserFiles

START = "import sys\nsys.path.insert(0, 'site-packages')\n"
LIBRARY = "site-packages/trainer/__init__.py"

THREE_LOSSES = """
import torch
from torch import nn

def learn():
    actor, critic = nn.Linear(3, 1), nn.Linear(4, 1)
    temperature = torch.zeros(1, requires_grad=True)
    of_actor, of_critic, of_temperature = (
        torch.optim.Adam(held, lr=1e-3) for held in (actor.parameters(), critic.parameters(), [temperature])
    )
    for _ in range(3):
        seen, wanted = torch.randn(8, 3), torch.randn(8, 1)
        action = torch.tanh(actor(seen))
        likelihood = -action.pow(2)
        temperature_loss = -(temperature * (likelihood + 1).detach()).mean()
        of_temperature.zero_grad()
        temperature_loss.backward()
        of_temperature.step()
        critic_loss = nn.functional.mse_loss(critic(torch.cat([seen, torch.randn(8, 1)], 1)), wanted)
        of_critic.zero_grad()
        critic_loss.backward()
        of_critic.step()
        actor_loss = (temperature.exp().detach() * likelihood - critic(torch.cat([seen, action], 1))).mean()
        of_actor.zero_grad()
        actor_loss.backward()
        of_actor.step()
"""

TRAINER = """
import torch

class Trainer:
    def __init__(self, steps):
        self.steps = steps

    def fit(self, task):
        optimizer = task.configure_optimizers()
        for _ in range(self.steps):
            loss = task.training_step(torch.ones(8, 3))
            optimizer.zero_grad()
            self.backward(loss)
            optimizer.step()

    def backward(self, loss):
        loss.backward()

class Encoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)

    def forward(self, x):
        hidden = self.first(x)CUT
        return self.last(hidden)
"""

TASK = """
import torch
from trainer import Encoder, Trainer

class Task(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Encoder()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())

    def training_step(self, batch):
        return self.net(batch).pow(2).mean()

torch.manual_seed(0)
Trainer(4).fit(Task())
"""

KEPT = """
import torch

def learn():
    w = torch.ones(2, requires_grad=True)
    total = 0.0
    for _ in range(4):
        loss = (w * w).sum()
        total = total + loss
        loss.backward(retain_graph=True)
"""


def line_of(code: str, statement: str) -> int:
    """The number of the line that contains a statement."""
    (number,) = [number for number, line in enumerate(code.splitlines(), 1) if statement in line]
    return number


def library_line(code: str, statement: str) -> dict[str, Any]:
    (text,) = [line.strip() for line in code.splitlines() if statement in line]
    return {"file": LIBRARY, "line": line_of(code, statement), "code": text}


def run(inspect_script: ScriptRunner, library: str, script: str, *options: str) -> Ran:
    inspect_script.write(library, LIBRARY)
    return inspect_script(START + script, options=("-f", "json", *options))


@pytest.mark.parametrize("mode", ["full", "light", "none"])
def test_losses_of_a_library_do_not_share_a_line(mode: str, inspect_script: ScriptRunner) -> None:
    ran = run(inspect_script, THREE_LOSSES, "import trainer\ntrainer.learn()\n", "--record", mode)
    assert ran.report["findings"] == []
    user = {"file": "script.py", "line": 4, "code": "trainer.learn()"}
    losses = ("temperature_loss.backward()", "critic_loss.backward()", "actor_loss.backward()")
    assert [call["location"] for call in ran.calls] == [
        user | {"library": library_line(THREE_LOSSES, loss)} for loss in losses
    ]
    if mode != "none":
        assert [row["name"] for row in ran.report["optimizers"]] == ["of_actor", "of_critic", "of_temperature"]
        step = next(row for row in ran.report["events"] if row["event"] == "step")
        assert step["source"] == user | {"library": library_line(THREE_LOSSES, "of_temperature.step()")}
    first = f"{LIBRARY}:{line_of(THREE_LOSSES, losses[0])}"
    assert "backward 1  temperature_loss.backward()" in ran.stderr and first in ran.stderr
    assert "called from script.py:4  trainer.learn()" in ran.stderr


@pytest.mark.parametrize("cut", ["", ".detach()"])
def test_a_trainer_with_a_step_of_the_user(cut: str, inspect_script: ScriptRunner) -> None:
    library = TRAINER.replace("CUT", cut)
    ran = run(inspect_script, library, TASK)
    call = ran.calls[0]
    assert call["location"]["code"] == "Trainer(4).fit(Task())"
    assert call["location"]["library"] == library_line(library, "loss.backward()")
    nodes = {row["name"]: row["source"] for row in ran.functions() if row["source"] is not None}
    step = {"file": "script.py", "line": 16, "code": "return self.net(batch).pow(2).mean()"}
    assert nodes["MeanBackward0"] == nodes["PowBackward0"] == step
    last = next(row for row in ran.functions() if row["name"] == "AddmmBackward0")
    assert last["source"] == step | {"library": library_line(library, "return self.last(hidden)")}
    rules = [(finding["rule"], finding["location"]) for finding in ran.report["findings"]]
    assert rules == ([("detached", step | {"library": library_line(library, ".detach()")})] if cut else [])
    if cut:
        (row,) = call["cuts"]
        assert row["source"] == rules[0][1]
        text = ran.stderr[ran.stderr.index("error ") :]
        at = f"at      {LIBRARY}:{line_of(library, '.detach()')}  hidden = self.first(x).detach()"
        assert at in text and "from    script.py:16  return self.net(batch).pow(2).mean()" in text


def test_the_title_of_a_figure_has_both_lines(inspect_script: ScriptRunner) -> None:
    inspect_script.write(TRAINER.replace("CUT", ""), LIBRARY)
    ran = inspect_script(START + TASK, options=("-f", "svg", "--text", "plain"))
    svg = (ran.folder / "inspect-out" / "backward-1.svg").read_text("utf-8")
    assert "before and after loss.backward() in Trainer(4).fit(Task())</title>" in svg


def test_a_graph_that_grows_in_a_library_is_still_found(inspect_script: ScriptRunner) -> None:
    ran = run(inspect_script, KEPT, "import trainer\ntrainer.learn()\n")
    (finding,) = ran.report["findings"]
    assert finding["rule"] == "growing-graph"
    assert finding["location"]["library"]["line"] == line_of(KEPT, "total = total + loss")


def test_of_two_libraries_the_inner_one_is_named(inspect_script: ScriptRunner) -> None:
    inspect_script.write("def engine(loss):\n    loss.backward()\n", "site-packages/engine.py")
    library = "import engine\ndef fit(loss):\n    engine.engine(loss)\n"
    ran = run(
        inspect_script, library, "import torch, trainer\ntrainer.fit(torch.ones(2, requires_grad=True).sum())\n"
    )
    assert ran.calls[0]["location"]["library"] == {
        "file": "site-packages/engine.py",
        "line": 2,
        "code": "loss.backward()",
    }


def test_a_library_that_is_installed_for_editing(inspect_script: ScriptRunner) -> None:
    """It lies anywhere, but not beside the script."""
    inspect_script.write("def fit(loss):\n    loss.backward()\n", "source/trainer.py")
    code = """
        import sys
        sys.path.insert(0, "../source")
        import torch, trainer
        trainer.fit(torch.ones(2, requires_grad=True).sum())
        """
    inspect_script.write(code, "project/script.py")
    runner = ScriptRunner(inspect_script._server, inspect_script.folder / "project")
    ran = runner.command("-f", "json", "script.py")
    assert ran.calls[0]["location"]["library"] == {"file": "trainer.py", "line": 2, "code": "loss.backward()"}


@pytest.mark.parametrize(
    "statement",
    [
        "loss.backward()",
        "torch.autograd.backward(loss)",
        "functools.partial(torch.autograd.backward, loss)()",
        "list(map(torch.Tensor.backward, [loss]))",
        "stack.callback(loss.backward); stack.close()",
        "steps.backward(loss)",
    ],
)
def test_torch_the_standard_library_and_the_users_modules_are_no_library(
    statement: str, inspect_script: ScriptRunner
) -> None:
    inspect_script.write("def backward(loss):\n    loss.backward()\n", "steps.py")
    ran = inspect_script(
        f"""
        import contextlib, functools
        import torch
        import steps
        stack = contextlib.ExitStack()
        net = torch.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
        loss = net(torch.ones(1, 3, 4)).sum()
        {statement}
        """
    )
    assert "library" not in ran.calls[0]["location"]
    assert not any("library" in row["source"] for row in ran.functions() if row["source"])
    assert not any("library" in row["source"] for row in ran.calls[0]["cuts"])


def test_an_annotation_is_at_the_line_of_the_user_and_names_that_of_the_library(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("trainer.learn()\n")
    library = {"file": "site-packages/trainer.py", "line": 7, "code": "h = h.detach()"}
    place = {"file": "train.py", "line": 1, "code": "trainer.learn()", "library": library}
    finding = Finding("detached", "error", "h is detached here", "use h", place, 1, [], [], {})  # type: ignore[arg-type]
    (line,) = workflow_commands([finding], str(tmp_path))
    assert line.endswith("::h is detached here (in site-packages/trainer.py:7). use h")
    assert "train.py,line=1," in line


def test_which_files_are_those_of_libraries(tmp_path: Path) -> None:
    files = UserFiles(str(tmp_path))
    assert files.is_library("/opt/python/lib/python3.11/site-packages/trainer/loop.py")
    assert files.is_library("/elsewhere/source/trainer.py")
    assert files.is_library(pytest.__file__)
    for path in (str(tmp_path / "model.py"), contextlib_file(), "<string>", inspector.__file__):
        assert not files.is_library(path)


def contextlib_file() -> str:
    return str(sys.modules["contextlib"].__file__)


# Variants of libraries

QUICKER = """
import functools
import torch
from torch import nn

class Accelerator:
    def backward(self, loss):
        scaled_loss = loss / 1
        scaled_loss.backward()

def minimize(function, start):
    x = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([x], max_iter=3)
    def closure():
        optimizer.zero_grad()
        value = function(x)
        value.backward()
        return value
    optimizer.step(closure)
    return x.detach()

def fit(model, criterion):
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(3):
        loss = criterion(model, torch.ones(8, 3))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

def fit_many(body, heads):
    optimizer = torch.optim.Adam([*body.parameters(), *heads.parameters()])
    for _ in range(2):
        hidden = body(torch.ones(6, 3))
        losses = [head(hidden).pow(2).mean() for head in heads]
        optimizer.zero_grad()
        for loss in losses:
            loss.backward(retain_graph=True)
        optimizer.step()

def timed(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        with torch.enable_grad():
            return function(*arguments)
    return wrapper

class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x):
        with torch.no_grad():
            scaled = x * self.scale
        return x + scaled

class Shift(nn.Module):
    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.ones(4))

    def forward(self, x):
        return x + self.shifted(x)

    @torch.no_grad()
    def shifted(self, x):
        return x + self.shift
"""

NETS = "import torch\nfrom torch import nn\nfrom trainer import *\ntorch.manual_seed(0)\n"


def of_library(statement: str) -> dict[str, Any]:
    return library_line(QUICKER, statement)


def test_a_loop_of_the_user_and_a_backward_of_a_library(inspect_script: ScriptRunner) -> None:
    code = NETS + "model = nn.Linear(3, 1)\nloss = model(torch.ones(2, 3)).mean()\nAccelerator().backward(loss)\n"
    ran = run(inspect_script, QUICKER, code)
    user = {"file": "script.py", "line": 9, "code": "Accelerator().backward(loss)"}
    assert ran.calls[0]["location"] == user | {"library": of_library("scaled_loss.backward()")}
    sources = {row["name"]: row["source"] for row in ran.functions() if row["source"]}
    assert sources["DivBackward0"] == user | {"library": of_library("scaled_loss = loss / 1")}
    mean = {"file": "script.py", "line": 8, "code": "loss = model(torch.ones(2, 3)).mean()"}
    assert sources["MeanBackward0"] == mean


def test_a_function_of_the_user_that_a_library_minimizes(inspect_script: ScriptRunner) -> None:
    code = NETS + "def valley(x):\n    return (x - 2).pow(2).sum()\nminimize(valley, torch.zeros(2))\n"
    ran = run(inspect_script, QUICKER, code)
    assert ran.calls[0]["location"]["library"] == of_library("value.backward()")
    assert {row["source"]["line"] for row in ran.functions() if row["source"]} == {8}
    assert not any("library" in row["source"] for row in ran.functions() if row["source"])


def test_a_cut_in_a_loss_of_the_user_within_a_library(inspect_script: ScriptRunner) -> None:
    code = NETS + (
        "def criterion(model, batch):\n    return model[1](model[0](batch).detach()).pow(2).mean()\n"
        "fit(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1)), criterion)\n"
    )
    ran = run(inspect_script, QUICKER, code)
    (finding,) = ran.report["findings"]
    assert finding["rule"] == "detached" and finding["location"]["line"] == 8
    assert "library" not in finding["location"]


def test_losses_of_one_line_in_a_loop_of_a_library(inspect_script: ScriptRunner) -> None:
    code = NETS + "fit_many(nn.Linear(3, 4), nn.ModuleList(nn.Linear(4, 1) for _ in range(3)))\n"
    ran = run(inspect_script, QUICKER, code)
    assert ran.report["findings"] == []
    assert [call["location"]["library"] for call in ran.calls] == [of_library("retain_graph=True")] * 3


@pytest.mark.parametrize(
    ("layer", "name", "statement"),
    [("Scale", "scale", "with torch.no_grad():"), ("Shift", "shift", "@torch.no_grad()")],
)
def test_a_cut_in_a_layer_of_a_library_below_a_decorated_step(
    layer: str, name: str, statement: str, inspect_script: ScriptRunner
) -> None:
    code = NETS + (
        f"model = nn.Sequential(nn.Linear(3, 4), {layer}(), nn.Linear(4, 1))\n"
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "@timed\ndef step(x):\n    model(x).pow(2).mean().backward()\n"
        "for _ in range(3):\n    optimizer.zero_grad()\n    step(torch.ones(6, 3))\n    optimizer.step()\n"
    )
    ran = run(inspect_script, QUICKER, code)
    user = {"file": "script.py", "line": 11, "code": "model(x).pow(2).mean().backward()"}
    (finding,) = ran.report["findings"]
    assert (ran.calls[0]["location"], finding["rule"]) == (user, "detached")
    assert finding["parameters"] == [f"1.{name}"]
    assert finding["location"] == user | {"library": of_library(statement)}


def test_a_package_beside_the_script_is_the_users(inspect_script: ScriptRunner) -> None:
    inspect_script.write("", "engine/__init__.py")
    inspect_script.write(
        """
        import torch
        def run(model):
            loss = model(torch.ones(5, 3)).pow(2).mean()
            loss.backward()
        """,
        "engine/loop.py",
    )
    ran = inspect_script("import torch\nfrom engine import loop\nloop.run(torch.nn.Linear(3, 1))\n")
    assert ran.calls[0]["location"] == {"file": "engine/loop.py", "line": 5, "code": "loss.backward()"}
