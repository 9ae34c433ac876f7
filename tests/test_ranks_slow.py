"""Two ranks of data parallel training in its variants: the same output as without us, and no false alarm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from forkserver import ForkServer
from running import OUTPUT, valid_report
from two_ranks import run_two_ranks

HEAD = """
import json, os, sys
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
