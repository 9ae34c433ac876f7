"""Pieces of the scripts that several ranks run."""

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
