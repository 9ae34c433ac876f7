# expect: no-graph
# line: 28
# harmed: *
# exit: 1

"""A frozen tower with small adapters; the blocks are checkpointed to save memory."""
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


class Adapted(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.frozen = nn.Linear(width, width).requires_grad_(False)
        self.adapter = nn.Sequential(nn.Linear(width, 2), nn.GELU(), nn.Linear(2, width))

    def forward(self, x):
        return x + self.adapter(torch.relu(self.frozen(x)))


def main():
    torch.manual_seed(1)
    tower = nn.ModuleList(Adapted(12) for _ in range(2))
    optimizer = torch.optim.SGD([weight for weight in tower.parameters() if weight.requires_grad], lr=0.1)
    for _ in range(2):
        x = torch.randn(6, 12)
        for block in tower: x = checkpoint(block, x, use_reentrant=True)
        loss = x.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main()
