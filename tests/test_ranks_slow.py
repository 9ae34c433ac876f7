"""Two ranks of data parallel training in its variants: the same output as without us, and no false alarm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from forkserver import ForkServer
from running import OUTPUT, valid_report
from two_ranks import run_two_ranks

HEAD = """
import contextlib, json, os, signal, sys
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel as DDP

RANK = int(os.environ["RANK"])

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last, self.unused = torch.nn.Linear(4, 3), torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)

    def forward(self, x, whole=True):
        y = self.last(torch.tanh(self.first(x)))
        return self.unused(y) if whole else y

def step(model, optimizer, *whole):
    loss = model(torch.randn(5, 4), *whole).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

dist.init_process_group("gloo", store=dist.FileStore(sys.argv[1], 2), rank=RANK, world_size=2)
torch.manual_seed(0)
net = Net()
"""

TAIL = """
grads = {name: item.grad for name, item in net.named_parameters()}
print(json.dumps({name: None if grad is None else grad.tolist() for name, grad in grads.items()}))
dist.destroy_process_group()
"""

SGD = "optimizer = torch.optim.SGD(net.parameters(), lr=0.1)\ntorch.manual_seed(RANK)\n"
STEPS = SGD + "for _ in range(4):\n    step(model, optimizer)\n"

HEALTHY = {
    "plain": "model = DDP(net)\n" + STEPS,
    "static_graph": "model = DDP(net, static_graph=True)\n" + STEPS,
    "gradient_as_bucket_view": "model = DDP(net, gradient_as_bucket_view=True)\n" + STEPS,
    "comm_hook": f"""
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import fp16_compress_hook
model = DDP(net)
model.register_comm_hook(None, fp16_compress_hook)
{STEPS}""",
    "no_sync": f"""
model = DDP(net)
{SGD}
for _ in range(3):
    optimizer.zero_grad()
    for part in range(2):
        with model.no_sync() if part == 0 else contextlib.nullcontext():
            model(torch.randn(5, 4)).pow(2).mean().backward()
    optimizer.step()
""",
    "zero_redundancy": """
from torch.distributed.optim import ZeroRedundancyOptimizer
model = DDP(net)
optimizer = ZeroRedundancyOptimizer(net.parameters(), torch.optim.SGD, lr=0.1)
torch.manual_seed(RANK)
for _ in range(4):
    step(model, optimizer)
""",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_training_has_no_finding(name: str, server: ForkServer, tmp_path: Path) -> None:
    ours = run_two_ranks(HEAD + HEALTHY[name] + TAIL, server, tmp_path)
    assert all("first.weight" in ran.stdout for ran in ours)
    for number in range(2):
        assert valid_report(tmp_path / OUTPUT / f"rank-{number:04}" / "report.json")["findings"] == []
    merged = json.loads((tmp_path / OUTPUT / "merged.json").read_text("utf-8"))
    assert (merged["findings"], merged["remarks"]) == ([], []) and merged["world"] == 2


DIE = "if RANK == 1:\n    os.kill(os.getpid(), signal.SIGKILL)\n"

ENDS = {
    "raises": (f"model = DDP(net)\n{STEPS}if RANK == 1:\n    raise ValueError('midway')\n", (0, 1), 3),
    "killed": (f"model = DDP(net)\n{STEPS}{DIE}", (0, -9), 3),
    "killed before its first backward": (f"{DIE}net(torch.ones(2, 4)).sum().backward()\n", (0, -9), 0),
}
"""Script, exit statuses, and number of calls that rank 1 leaves."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDS)
def test_a_rank_that_dies_leaves_what_it_had(name: str, server: ForkServer, tmp_path: Path) -> None:
    body, statuses, calls = ENDS[name]
    run_two_ranks(HEAD + body + TAIL, server, tmp_path, statuses)
    left = tmp_path / OUTPUT / "rank-0001" / "report.json"
    assert (len(valid_report(left)["backward_calls"]) if left.exists() else 0) == calls
    merged = json.loads((tmp_path / OUTPUT / "merged.json").read_text("utf-8"))
    assert merged["world"] == 2 and 1 in [*merged["absent"], *(row["number"] for row in merged["ranks"])]


FAULTS = {
    "a parameter that one rank uses": (
        "model = DDP(net, find_unused_parameters=True)\n"
        f"{SGD}for _ in range(4):\n    step(model, optimizer, RANK == 1)\n",
        "got a gradient on rank 1 only",
    ),
    "NaN": (
        f"model = DDP(net)\n{SGD}x = torch.randn(5, 4)\nif RANK == 1:\n    x[0, 0] = float('nan')\n"
        "for _ in range(4):\n    optimizer.zero_grad()\n    model(x).pow(2).mean().backward()\n",
        "NaN or infinite on rank 1 only",
    ),
}
"""Script, and what the finding says."""


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_one_rank_is_found(name: str, server: ForkServer, tmp_path: Path) -> None:
    body, said = FAULTS[name]
    run_two_ranks(HEAD + body + TAIL, server, tmp_path)
    merged = json.loads((tmp_path / OUTPUT / "merged.json").read_text("utf-8"))
    (found,) = (finding for finding in merged["findings"] if finding["rule"] == "rank-disagreement")
    assert said in found["message"] and found["ranks"] == [1]
