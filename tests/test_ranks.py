"""Processes of a launcher: each rank writes its own folder, and rank 0 alone prints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from forkserver import ForkServer
from launched import run_ranks
from ranks_scripts import HEAD, SGD, STEPS, TAIL
from running import OUTPUT, ScriptRunner, valid_report

from inspector.commands.launch import launch_command
from inspector.commands.options import OptionError
from inspector.commands.ranks import Rank, rank_of

TRAINED = """
    import os, sys
    import torch
    import torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    store = dist.FileStore(sys.argv[1], 2)
    dist.init_process_group("gloo", store=store, rank=int(os.environ["RANK"]), world_size=2)
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))
    model = DistributedDataParallel(net)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    torch.manual_seed(dist.get_rank())
    for _ in range(3):
        loss = model(torch.randn(5, 4)).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print([parameter.grad.norm().item() for parameter in model.parameters()])
    dist.destroy_process_group()
"""


@pytest.mark.parametrize(
    ("given", "rank"),
    [
        ({}, None),
        ({"RANK": "0", "WORLD_SIZE": "1"}, None),
        ({"RANK": "3", "WORLD_SIZE": "4"}, Rank(3, 4, 4)),
        ({"RANK": "3", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}, Rank(3, 4, 2)),
        ({"RANK": "4", "WORLD_SIZE": "4"}, None),
        ({"RANK": "x", "WORLD_SIZE": "4"}, None),
        ({"WORLD_SIZE": "4"}, None),
    ],
)
def test_the_rank_is_that_of_the_environment(given: dict[str, str], rank: Rank | None) -> None:
    assert rank_of(given) == rank


def test_two_ranks_that_reduce_their_gradients(server: ForkServer, tmp_path: Path) -> None:
    ours = run_ranks(TRAINED, server, tmp_path)
    first, second = ours
    assert "loss.backward()" in first.stderr
    assert second.stderr == ""
    assert "inspect: rank 0 of 2; the other rank wrote rank-0001 in inspect-out/" in first.said
    merged = json.loads((tmp_path / OUTPUT / "merged.json").read_text("utf-8"))
    assert [row["number"] for row in merged["ranks"]] == [0, 1] and merged["findings"] == merged["remarks"] == []
    printed = [float(norm) for norm in re.findall(r"[\d.]+", first.stdout)]
    leaves = {leaf["name"]: leaf for leaf in merged["backward_calls"][-1]["leaves"]}
    for name, norm in zip(["0.weight", "0.bias", "2.weight", "2.bias"], printed, strict=True):
        reduced, local = leaves[name]["reduced"], leaves[name]["local"]
        assert reduced["low"] == reduced["high"] == pytest.approx(norm)
        assert local["low"] < local["high"] and "different" not in leaves[name]["data"]
    for rank in range(2):
        folder = tmp_path / OUTPUT / f"rank-{rank:04}"
        assert valid_report(folder / "report.json")["findings"] == []


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("torchrun --nnodes 2 train.py --lr 1", "torch.distributed.run --nnodes 2 {} train.py --lr 1"),
        ("torchrun -m pkg.train a.py", "torch.distributed.run {} -m pkg.train a.py"),
        ("accelerate launch --module pkg.train", "accelerate.commands.launch {} -m pkg.train"),
        ("python -m torch.distributed.run -x t.py", "torch.distributed.run -x {} t.py"),
        ("python train.py", None),
        ("train.py torchrun", None),
    ],
)
def test_the_inspector_stands_before_the_script_of_a_launcher(given: str, wanted: str | None) -> None:
    command = launch_command(given.split(), ["-f", "svg"])
    expected = None if wanted is None else ["-m", *wanted.format("-m inspector -f svg").split()]
    assert (None if command is None else command[1:]) == expected


def test_a_launcher_may_be_given_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("bin", "work"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "torchrun").write_text("#!/bin/sh\n")
        (tmp_path / folder / "torchrun").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    command = launch_command([str(tmp_path / "bin" / "torchrun"), "train.py"], [])
    assert command is not None and command[1:] == ["-m", "torch.distributed.run", "-m", "inspector", "train.py"]
    assert launch_command([str(tmp_path / "work" / "torchrun"), "train.py"], []) is None  # a script of this name


@pytest.mark.parametrize("given", ["torchrun --standalone", "torchrun --no-python train.py"])
def test_a_launcher_without_a_python_script_is_refused(given: str) -> None:
    with pytest.raises(OptionError, match=r"^torchrun"):
        launch_command(given.split(), [])


def test_a_file_is_named_after_the_rank(inspect_script: ScriptRunner) -> None:
    code = "import torch; torch.ones(2, requires_grad=True).sum().backward()"
    inspect_script(code, options=("-o", "figure.dot"), env={"RANK": "1", "WORLD_SIZE": "2"})
    assert [path.name for path in inspect_script.folder.glob("*.dot")] == ["figure.rank-0001.dot"]


SHARDED = """
    import json, os, sys
    import torch
    import torch.distributed as dist
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    store = dist.FileStore(sys.argv[1], 2)
    dist.init_process_group("gloo", store=store, rank=int(os.environ["RANK"]), world_size=2)
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))
    mesh = init_device_mesh("cpu", (2,))
    for layer in (net[0], net[2], net):
        fully_shard(layer, mesh=mesh)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    torch.manual_seed(dist.get_rank())
    for _ in range(3):
        loss = net(torch.randn(5, 8)).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    grads = {name: item.grad for name, item in net.named_parameters()}
    parts = {name: [grad.full_tensor().tolist(), grad.to_local().tolist()] for name, grad in grads.items()}
    print(json.dumps(parts))
    dist.destroy_process_group()
"""


def test_sharded_parameters_keep_their_names_and_their_shards_make_the_whole(
    server: ForkServer, tmp_path: Path
) -> None:
    ours = run_ranks(SHARDED, server, tmp_path)
    merged = json.loads((tmp_path / OUTPUT / "merged.json").read_text("utf-8"))
    assert merged["findings"] == merged["remarks"] == [] and merged["compared"] == 0
    wholes = {leaf["name"]: leaf["whole"] for leaf in merged["backward_calls"][-1]["leaves"]}
    for rank, ran in enumerate(ours):
        report = valid_report(tmp_path / OUTPUT / f"rank-{rank:04}" / "report.json")
        assert report["findings"] == []
        nodes = report["backward_calls"][-1]["graph"]["nodes"]
        leaves = {node["name"]: node for node in nodes if node["kind"] == "tensor" and node["is_leaf"]}
        norms = {row["name"]: row["calls"][-1]["after"] for row in report["parameters"]}
        for name, (whole, shard) in json.loads(ran.stdout.splitlines()[0]).items():
            assert leaves[name]["shape"] == list(torch.tensor(whole).shape)
            assert leaves[name]["part"] == {
                "placements": ["Shard(0)"], "number": rank, "parts": 2, "shape": list(torch.tensor(shard).shape)
            }  # fmt: skip
            assert norms[name] == pytest.approx(torch.tensor(shard).norm().item())
            assert wholes[name]["reduced"] == pytest.approx(torch.tensor(whole).norm().item())


FAULTS = {
    "a parameter that one rank uses": (
        "model = DDP(net, find_unused_parameters=True)\n"
        f"{SGD}for _ in range(4):\n    step(model, optimizer, RANK == 1)\n",
        {"rank-disagreement": "got a gradient on rank 1 only, in 3 backward calls; the mean counts rank 0"},
    ),
    "NaN": (
        f"model = DDP(net)\n{SGD}for number in range(4):\n    x = torch.randn(5, 4)\n"
        "    if RANK == 1 and number == 1:\n        x[0, 0] = float('nan')\n    optimizer.zero_grad()\n"
        "    model(x).pow(2).mean().backward()\n    optimizer.step()\n",
        {  # and not that the parameters of both ranks are NaN afterwards
            "rank-disagreement": "NaN or infinite on rank 1 only; the reduction has spread it to all ranks",
            "non-finite-forward": "x[0, 0] returned NaN or infinity",
        },
    ),
}
"""Script, and what the findings say, by rule."""


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_one_rank_is_told_once(name: str, server: ForkServer, tmp_path: Path) -> None:
    body, said = FAULTS[name]
    first, _ = run_ranks(HEAD + body + TAIL, server, tmp_path, is_compared=False)
    merged = json.loads((tmp_path / OUTPUT / "merged.json").read_text("utf-8"))
    assert [(found["rule"], found["ranks"]) for found in merged["findings"]] == [(rule, [1]) for rule in said]
    for found in merged["findings"]:
        assert said[found["rule"]] in found["message"]
    assert first.stderr.count("  on      rank 1\n") == ("non-finite-forward" in said)


def test_a_rank_that_raises_leaves_what_it_had(server: ForkServer, tmp_path: Path) -> None:
    body = f"model = DDP(net)\n{STEPS}if RANK == 1:\n    raise ValueError('midway')\n"
    first, second = run_ranks(HEAD + body + TAIL, server, tmp_path, (0, 1), is_compared=False)
    assert len(valid_report(tmp_path / OUTPUT / "rank-0001" / "report.json")["backward_calls"]) == 3
    assert "rank 1 ended with ValueError: midway" in first.stderr
    assert "inspect" not in second.stderr and second.stderr.endswith("ValueError: midway\n")
