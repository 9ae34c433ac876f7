"""Parameters that FullyShardedDataParallel has flattened into one leaf."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel

import inspector


@pytest.fixture(autouse=True)
def process_group() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("original", [True, False])
def test_the_leaf_has_torchs_name_and_the_parameters_in_it_are_reached(original: bool) -> None:
    with warnings.catch_warnings(), inspector.record(watch=2) as recording:
        warnings.simplefilter("ignore")  # that one process shards nothing
        inner = FullyShardedDataParallel(
            nn.Linear(3, 3), device_id=torch.device("cpu"), use_orig_params=original
        )
        model = FullyShardedDataParallel(
            nn.Sequential(inner, nn.Tanh(), nn.Linear(3, 1)),
            device_id=torch.device("cpu"),
            use_orig_params=original,
        )
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            model(torch.randn(5, 3)).pow(2).mean().backward()
            optimizer.step()
    assert recording.findings == []
    for call in recording.calls:
        leaves = {row["name"] for _, row in call.graph.tensors() if row["is_leaf"] and row["requires_grad"]}
        assert leaves == {"0._flat_param", "_flat_param"}
    rows = {leaf["name"]: leaf for leaf in recording.report().inventory.leaves}
    names = {"0.weight", "0.bias", "2.weight", "2.bias"} if original else {"0._flat_param", "_flat_param"}
    assert rows.keys() == names
    assert all([call["backward_call"] for call in row["calls"]] == [1, 2] for row in rows.values())
