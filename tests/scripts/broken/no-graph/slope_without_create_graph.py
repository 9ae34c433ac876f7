# expect: no-graph
# line: 16
# harmed: *
# exit: 1

"""A network for u' = -u: the loss is made of its derivative alone."""
import torch
from torch import nn


def main():
    torch.manual_seed(4)
    field = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(field.parameters(), lr=1e-3)
    def slope_of(at):
        (slope,) = torch.autograd.grad(field(at).sum(), at)
        return slope
    for step in range(3):
        at = torch.rand(32, 1).requires_grad_()
        loss = (slope_of(at) + torch.exp(-at.detach())).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, loss.item())


if __name__ == "__main__":
    main()
