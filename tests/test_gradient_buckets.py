"""The buckets in which DistributedDataParallel reduces gradients: what torch's reducer says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import inspector
from inspector.torch_api.gradient_buckets import GRADIENT_BUCKETS, buckets_of


class Net(nn.Module):
    """Registers first what forward calls last."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.body, self.stem = nn.Linear(64, 2), nn.Linear(64, 64), nn.Linear(4, 64)
        self.unused = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.head(torch.tanh(self.body(torch.tanh(self.stem(x)))))
        return out


@pytest.fixture(autouse=True)
def process_group() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def record(calls: int, **options: Any) -> tuple[Any, DistributedDataParallel]:
    torch.manual_seed(0)
    with inspector.record(watch=calls) as recording:
        model = DistributedDataParallel(Net(), bucket_cap_mb=0.002, **options)
        for _ in range(calls):
            model(torch.randn(5, 4)).sum().backward()
    return recording, model


def test_the_buckets_are_those_of_the_reducer_and_without_elements() -> None:
    recording, model = record(2, find_unused_parameters=True)
    names = {id(parameter): name for name, parameter in model.module.named_parameters()}
    theirs = model.reducer._get_zeros_like_grad_buckets()
    wanted = [{"parameters": [names[id(p)] for p in b.parameters()], "bytes": b.buffer().nbytes} for b in theirs]
    assert len(wanted) > 1
    for call in recording.calls:
        row = {"name": "model", "buckets": wanted, "find_unused_parameters": True}
        assert call.setting.wrappers == [row]
    assert [bucket.size for bucket in buckets_of(model)] == [bucket["bytes"] for bucket in wanted]


def test_buckets_are_rebuilt_in_the_order_in_which_the_gradients_arrived() -> None:
    torch.manual_seed(0)
    with inspector.record(watch=2) as recording:
        net = Net()
        net.unused.requires_grad_(False)
        model = DistributedDataParallel(net, bucket_cap_mb=0.002)
        for _ in range(2):
            model(torch.randn(5, 4)).sum().backward()
    first, second = (call.setting.wrappers[0]["buckets"] for call in recording.calls)
    assert len(first) == 1 and len(second) > 1
    times = model.reducer.get_backward_stats()  # by parameter, when its gradient was there
    trained = [name for name, parameter in net.named_parameters() if parameter.requires_grad]
    arrived = [name for _, name in sorted(zip(times, trained, strict=True))]
    assert [name for bucket in second for name in bucket["parameters"]] == arrived


def test_a_call_that_reduces_nothing_has_no_buckets() -> None:
    with inspector.record(watch=3) as recording:
        model = DistributedDataParallel(Net())
        with model.no_sync():
            model(torch.randn(5, 4)).sum().backward()
        model = DistributedDataParallel(Net())
        model.module(torch.randn(5, 4)).sum().backward()
        torch.autograd.grad(model.module(torch.randn(5, 4)).sum(), [*model.parameters()], allow_unused=True)
    rows = [call.setting.wrappers for call in recording.calls]
    assert rows == [[], *[[{"name": "model", "bypassed": True}]] * 2]


def test_a_reducer_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(module: object) -> None:
        raise RuntimeError("not now")

    monkeypatch.setattr(GRADIENT_BUCKETS, "parts", fails)
    monkeypatch.setattr(GRADIENT_BUCKETS, "_reason", None)
    monkeypatch.setattr(GRADIENT_BUCKETS, "_is_missed", False)
    recording, _ = record(1, find_unused_parameters=True)
    assert recording.calls[0].setting.wrappers == []
    assert "the order in which DistributedDataParallel reduces" in str(GRADIENT_BUCKETS.remark)
