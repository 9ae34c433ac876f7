"""Scripts that several ranks run. Each prints, for every training in it, a line with the grads that it leaves."""

_HEAD = """
import contextlib, json, os, signal, sys
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel as DDP

RANK, WORLD = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
dist.init_process_group("gloo", store=dist.FileStore(sys.argv[1], WORLD), rank=RANK, world_size=WORLD)

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last, self.extra = torch.nn.Linear(4, 3), torch.nn.Linear(3, 3), torch.nn.Linear(3, 3)

    def forward(self, x, whole=True):
        y = self.last(torch.tanh(self.first(x)))
        return self.extra(y) if whole else y

def new():
    torch.manual_seed(0)
    return Net()

def show(net):  # under FullyShardedDataParallel, a rank holds no part of some parameters
    grads = {name: item.grad for name, item in net.named_parameters()}
    grads = {name: grad if grad is None else grad.tolist() for name, grad in grads.items()}
    print(json.dumps(grads), flush=True)
"""

_TRAIN = """
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import fp16_compress_hook
from torch.distributed.optim import ZeroRedundancyOptimizer as Zero

def compressed(model):
    model.register_comm_hook(None, fp16_compress_hook)
    return model

def train(net, model=None, parts=1, optimizer=None):
    model = model or net
    optimizer = optimizer or torch.optim.SGD(net.parameters(), lr=0.1)
    torch.manual_seed(RANK)
    for _ in range(2):
        optimizer.zero_grad()
        for part in range(parts):
            with contextlib.nullcontext() if part == parts - 1 else model.no_sync():
                model(torch.randn(5, 4)).pow(2).mean().backward()
        optimizer.step()
    show(net)
"""

REPLICAS = {
    "plain": "train(net, DDP(net))",
    "static_graph": "train(net, DDP(net, static_graph=True))",
    "gradient_as_bucket_view": "train(net, DDP(net, gradient_as_bucket_view=True))",
    "comm_hook": "train(net, compressed(DDP(net)))",
    "zero_redundancy": "train(net, DDP(net), optimizer=Zero(net.parameters(), torch.optim.SGD, lr=0.1))",
    "no_sync": "train(net, DDP(net), parts=2)",  # the last one: it has twice the backward calls of the others
}
"""Data parallel trainings in their variants, two steps each."""

REPLICAS_SCRIPT = _HEAD + _TRAIN
REPLICAS_SCRIPT += "".join(f"net = new()\n{variant}\n" for variant in REPLICAS.values())
REPLICAS_SCRIPT += """
from torch.distributed.fsdp import FullyShardedDataParallel
net = FullyShardedDataParallel(new(), device_id=torch.device("cpu"), use_orig_params=True)
train(net)
dist.destroy_process_group()
"""

UNUSED, NAN = (1, 2), (3, 4)
"""The backward calls of the trainings in `FAULTS_SCRIPT`."""

FAULTS_SCRIPT = f"""{_HEAD}
def train(net, model, whole=True, spoiled=-1):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    torch.manual_seed(RANK)
    for number in range(2):
        x = torch.randn(5, 4)
        if number == spoiled:
            x[0, 0] = float("nan")
        optimizer.zero_grad()
        model(x, whole).pow(2).mean().backward()
        optimizer.step()
    show(net)

net = new()
train(net, DDP(net, find_unused_parameters=True), whole=RANK == 1)
net = new()
train(net, DDP(net), spoiled=0 if RANK == 1 else -1)
if RANK == 1:
    raise ValueError("midway")
dist.destroy_process_group()
"""


def killed_script(number: int) -> str:
    """A training of four steps, in which rank 1 is killed before the step with this number, from 0."""
    return f"""{_HEAD}
net = new()
model = DDP(net)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for number in range(4):
    if (RANK, number) == (1, {number}):
        os.kill(os.getpid(), signal.SIGKILL)
    optimizer.zero_grad()
    model(torch.randn(5, 4)).pow(2).mean().backward()
    optimizer.step()
    show(net)
"""


SHARDED = {
    "fully_shard": "train(per_layer(new(), line), RANK)",
    "fully_shard, in groups that hold the same": "train(per_layer(new(), square), RANK)",
    "tensor parallel": "train(parallelize_module(new(), line, PLAN), 0)",  # all ranks have the same input
}
"""Trainings of DTensors on four ranks, two steps each."""

SHARDED_SCRIPT = """
import json, os, sys
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.utils import clip_grad_norm_

RANK, WORLD = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
dist.init_process_group("gloo", store=dist.FileStore(sys.argv[1], WORLD), rank=RANK, world_size=WORLD)
line = init_device_mesh("cpu", (WORLD,))
square = init_device_mesh("cpu", (2, WORLD // 2), mesh_dim_names=("replicas", "shards"))
PLAN = {"0": ColwiseParallel(), "2": RowwiseParallel()}

def new():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))

def per_layer(net, mesh):
    for layer in (net[0], net[2], net):
        fully_shard(layer, mesh=mesh)
    return net

def train(model, seed):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    torch.manual_seed(seed)
    for _ in range(2):
        loss = model(torch.randn(5, 8)).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        norm = clip_grad_norm_(model.parameters(), 1000.0)
        optimizer.step()
    grads = {name: item.grad for name, item in model.named_parameters()}
    grads = {name: [grad.full_tensor().tolist(), grad.to_local().tolist()] for name, grad in grads.items()}
    print(json.dumps({"norm": norm.full_tensor().item(), "grads": grads}))
"""
SHARDED_SCRIPT += "\n".join([*SHARDED.values(), "dist.destroy_process_group()\n"])
