"""Real, tiny trainings with the common trainers: names, the first call that trains, and no finding in any.

Each needs packages of the optional group `trainers`: `pip install -e ".[test,trainers]"`, then
`python -m pytest -m trainers`.
"""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

SCRIPTS = Path(__file__).parent / "trainers"
USE = Path(__file__).parent.parent / "docs" / "use.md"


class Trainer(NamedTuple):
    """packages: what it imports. line: of the script's code, that led to the first call that trains. names: of
    parameters in the graph. written: a file or folder that the training leaves. steps: of its optimizer."""

    packages: tuple[str, ...]
    line: str
    names: tuple[str, ...]
    written: str
    steps: int


TRAINERS = {
    "accelerate_loop": Trainer(
        ("accelerate",), "accelerator.backward(loss)", ("0.weight", "2.bias"), "acc_state", 8
    ),
    "peft_lora": Trainer(
        ("peft", "transformers"),
        "loss.backward()",
        ("base_model.model.transformer.h.0.attn.c_attn.lora_B.default.weight",),
        "lora_out/adapter_model.safetensors",
        5,
    ),
    "skorch_net": Trainer(("skorch",), "net.fit(x, y)", ("hidden.weight", "out.bias"), "sk.pt", 12),
    "fastai_learner": Trainer(
        ("fastai",), "learner.fit_one_cycle(2, 1e-2)", ("0.weight", "2.bias"), "models/fa.pth", 12
    ),
    "transformers_trainer": Trainer(
        ("transformers", "accelerate"),
        "print(trainer.train())",
        ("transformer.wte.weight", "transformer.h.1.mlp.c_proj.bias"),
        "ckpt/checkpoint-6",
        6,
    ),
    "lightning_fit": Trainer(
        ("lightning",),
        "trainer.fit(Lit(), loader, loader)",
        ("net.0.weight", "net.2.bias"),
        "lit_out/checkpoints",
        16,
    ),
    "timm_loop": Trainer(
        ("timm",),
        'scaler(loss, optimizer, clip_grad=1.0, clip_mode="norm", parameters=model.parameters())',
        ("model.patch_embed.proj.weight", "model.blocks.1.mlp.fc2.bias", "model.cls_token"),
        "timm_out/checkpoint-1.pth.tar",
        8,
    ),
    "trl_sft": Trainer(
        ("trl", "datasets"), "print(trainer.train())", ("transformer.wte.weight",), "sft_out", 5
    ),
}

trained = pytest.mark.parametrize("name", TRAINERS)


@functools.cache
def environment() -> dict[str, str]:
    """The environment of the scripts, in which torchvision can be imported where it is installed."""
    if find_spec("torchvision") is None:
        return dict(os.environ)
    imported = subprocess.run([sys.executable, "-c", "import torchvision"], capture_output=True, check=False)
    declared = {"PYTHONPATH": str(SCRIPTS / "torchvision_operators")} if imported.returncode else {}
    return os.environ | declared


def run(name: str, folder: Path, *inspect: str, code: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a script in an empty folder. inspect: how it is inspected. code: in place of its own."""
    missing = [package for package in TRAINERS[name].packages if find_spec(package) is None]
    if missing and not os.environ.get("CI"):
        pytest.skip(f"not installed: {', '.join(missing)}")
    folder.mkdir()
    (folder / f"{name}.py").write_text(code or (SCRIPTS / f"{name}.py").read_text())
    command = [sys.executable, *inspect, f"{name}.py"]
    ran = subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=600, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran


def has_the_same_weights(one: Path, other: Path) -> bool:
    """Whether two trainings have ended with the same weights, bit by bit."""
    first, second = (torch.load(folder / "weights.pt", weights_only=True) for folder in (one, other))
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def finished_bars(ran: subprocess.CompletedProcess[str]) -> set[str]:
    """The counts at which progress bars ended. How often a bar is drawn depends on time."""
    return set(re.findall(r"100%\|[^|]*\| *(\d+/\d+)", ran.stdout + ran.stderr))


OURS = re.compile(r"backward \d|called from|checks |inspect:|loss and gradient norms|wrote |watched ")
"""How paragraphs of the inspector begin."""


@pytest.mark.trainers
@trained
def test_a_trainer(name: str, tmp_path: Path) -> None:
    trainer, folder = TRAINERS[name], tmp_path / "ours"
    ran = run(name, folder, "-m", "inspector", "-f", "json")
    report = json.loads((folder / "inspect-out" / "report.json").read_text())
    assert report["findings"] == []
    first = report["backward_calls"][0]
    assert first["index"] == 1 and first["location"]["file"] == f"{name}.py"
    assert first["location"]["code"] == trainer.line
    assert (folder / trainer.written).exists()
    parameters = {row["name"] for row in report["parameters"]}
    assert parameters.issuperset(trainer.names), sorted(parameters)
    assert report["timeline"]["steps"] == trainer.steps
    plain = run(name, tmp_path / "plain")
    bars = [piece for piece in re.split(r"[\r\n]", ran.stdout + ran.stderr) if "%|" in piece]
    assert [piece for piece in bars if OURS.search(piece)] == []
    assert finished_bars(ran) == finished_bars(plain)
    assert has_the_same_weights(folder, tmp_path / "plain")


IN_USE = "callback of docs/use.md"
SKORCH = """
class Flight(skorch.callbacks.Callback):
    def on_train_begin(self, net, X=None, y=None, **rest):
        self.recording = inspector.watch(net.module_, net.optimizer_).open()

    def on_train_end(self, net, X=None, y=None, **rest):
        self.recording.close()
        print(self.recording)
"""
FASTAI = """
class Flight(fastai.basics.Callback):
    def before_fit(self):
        self.recording = inspector.watch(self.model).open()

    def after_fit(self):
        self.recording.close()
        print(self.recording)
"""
LOOP = """
class Flight:
    def __init__(self, model, optimizer):
        self.recording = inspector.watch(model, optimizer).open()
"""
"""For loops of the user's own."""

OPENED = "flight = Flight(model, optimizer)\nfor "
CALLBACKS = {
    "accelerate_loop": ("", LOOP, "for ", OPENED),
    "peft_lora": ("", LOOP, "for ", OPENED),
    "timm_loop": ("", LOOP, "for ", OPENED),
    "skorch_net": ("skorch.callbacks", SKORCH, "max_epochs=3", "max_epochs=3, callbacks=[flight := Flight()]"),
    "fastai_learner": ("fastai.basics", FASTAI, "metrics=accuracy", "cbs=[flight := Flight()]"),
    "transformers_trainer": ("transformers", IN_USE, "=rows)", "=rows, callbacks=[flight := Flight()])"),
    "trl_sft": ("transformers", IN_USE, "=data,", "=data, callbacks=[flight := Flight()],"),
    "lightning_fit": ("lightning", IN_USE, "L.Trainer(", "L.Trainer(callbacks=[flight := Flight()],"),
}
"""What a script imports for its callback, the callback, a text of the script and what replaces it."""


@pytest.mark.trainers
@trained
def test_a_callback_of_a_trainer(name: str, tmp_path: Path) -> None:
    package, callback, place, with_it = CALLBACKS[name]
    if callback is IN_USE:
        blocks = re.findall(r"```python\n(.*?)```", USE.read_text("utf-8"), re.DOTALL)
        (callback,) = [block for block in blocks if f"class Flight({package}" in block]
    script = (SCRIPTS / f"{name}.py").read_text()
    before, found, after = script.partition(f"\n{place}" if place == "for " else place)
    assert found
    lines = (
        f"import inspector{', ' if package else ''}{package}",
        callback,
        before + ("\n" if place == "for " else "") + with_it + after,
        "import json",
        "flight.recording.close()",
        "found = [str(item) for item in flight.recording.findings]",
        "print()",
        "print(json.dumps([flight.recording.steps, found, *flight.recording.columns()]))",
    )
    ran = run(name, tmp_path / "ours", code="\n".join(lines))
    steps, findings, *columns = json.loads(ran.stdout.splitlines()[-1])
    assert (steps, findings) == (TRAINERS[name].steps, [])
    assert any(column.startswith("gradient/") for column in columns) and "loss" in columns
    run(name, tmp_path / "plain")
    assert has_the_same_weights(tmp_path / "ours", tmp_path / "plain")
