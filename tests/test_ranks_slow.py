"""Two ranks of data parallel training in its variants: the same output as without us, and no false alarm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from forkserver import ForkServer
from launched import run_ranks
from ranks_scripts import HEAD, SGD, STEPS, TAIL
from running import OUTPUT, valid_report

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
    "fully_sharded": f"""
from torch.distributed.fsdp import FullyShardedDataParallel
model = FullyShardedDataParallel(net, device_id=torch.device("cpu"), use_orig_params=True)
{STEPS.replace("net.", "model.")}net = torch.nn.Module()  # the first rank holds no part of some parameters
print("first.weight", model(torch.ones(1, 4)).tolist())
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
    ours = run_ranks(HEAD + HEALTHY[name] + TAIL, server, tmp_path)
    assert all("first.weight" in ran.stdout for ran in ours)
    for number in range(2):
        assert valid_report(tmp_path / OUTPUT / f"rank-{number:04}" / "report.json")["findings"] == []
    merged = json.loads((tmp_path / OUTPUT / "merged.json").read_text("utf-8"))
    assert (merged["findings"], merged["remarks"]) == ([], []) and merged["world"] == 2


DIE = "if RANK == 1:\n    os.kill(os.getpid(), signal.SIGKILL)\n"

ENDS = {
    "killed": (f"model = DDP(net)\n{STEPS}{DIE}", (0, -9), 3),
    "killed before its first backward": (f"{DIE}net(torch.ones(2, 4)).sum().backward()\n", (0, -9), 0),
}
"""Script, exit statuses, and number of calls that rank 1 leaves."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDS)
def test_a_rank_that_dies_leaves_what_it_had(name: str, server: ForkServer, tmp_path: Path) -> None:
    body, statuses, calls = ENDS[name]
    run_ranks(HEAD + body + TAIL, server, tmp_path, statuses)
    left = tmp_path / OUTPUT / "rank-0001" / "report.json"
    assert (len(valid_report(left)["backward_calls"]) if left.exists() else 0) == calls
    merged = json.loads((tmp_path / OUTPUT / "merged.json").read_text("utf-8"))
    assert merged["world"] == 2 and 1 in [*merged["absent"], *(row["number"] for row in merged["ranks"])]
