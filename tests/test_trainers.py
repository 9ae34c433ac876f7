"""Real, tiny trainings with the common trainers: names, the first call that trains, and no finding in any.

Each needs packages of the optional group `trainers`: `pip install -e ".[test,trainers]"`, then this file.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

SCRIPTS = Path(__file__).parent / "trainers"


class Trainer(NamedTuple):
    """packages: what it imports. line: of the script's code, that led to the first call that trains. names: of
    parameters in the graph. written: a file or folder that the training leaves."""

    packages: tuple[str, ...]
    line: str
    names: tuple[str, ...]
    written: str


TRAINERS = {
    "accelerate_loop": Trainer(("accelerate",), "accelerator.backward(loss)", ("0.weight", "2.bias"), "acc_state"),
    "peft_lora": Trainer(
        ("peft", "transformers"),
        "loss.backward()",
        ("base_model.model.transformer.h.0.attn.c_attn.lora_B.default.weight",),
        "lora_out/adapter_model.safetensors",
    ),
    "skorch_net": Trainer(("skorch",), "net.fit(x, y)", ("hidden.weight", "out.bias"), "sk.pt"),
    "transformers_trainer": Trainer(
        ("transformers", "accelerate"),
        "print(trainer.train())",
        ("transformer.wte.weight", "transformer.h.1.mlp.c_proj.bias"),
        "ckpt/checkpoint-6",
    ),
    "lightning_fit": Trainer(
        ("lightning",), "trainer.fit(Lit(), loader, loader)", ("net.0.weight", "net.2.bias"), "lit_out/checkpoints"
    ),
    "trl_sft": Trainer(("trl", "datasets"), "print(trainer.train())", ("transformer.wte.weight",), "sft_out"),
}


@pytest.mark.parametrize("name", TRAINERS)
def test_a_trainer(name: str, tmp_path: Path) -> None:
    trainer = TRAINERS[name]
    missing = [package for package in trainer.packages if find_spec(package) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    (tmp_path / f"{name}.py").write_text((SCRIPTS / f"{name}.py").read_text())
    command = [sys.executable, "-m", "inspector", "-f", "json", f"{name}.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    report = json.loads((tmp_path / "inspect-out" / "report.json").read_text())
    assert report["findings"] == []
    first = report["backward_calls"][0]
    assert first["index"] == 1 and first["location"]["file"] == f"{name}.py"
    assert first["location"]["code"] == trainer.line
    assert (tmp_path / trainer.written).exists()
    parameters = {row["name"] for row in report["parameters"]}
    for wanted in trainer.names:
        assert any(known == wanted or known.endswith(f".{wanted}") for known in parameters), sorted(parameters)
    assert report["timeline"]["steps"], "the steps after the recorded calls"
