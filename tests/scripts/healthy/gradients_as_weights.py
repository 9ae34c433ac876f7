# expect: nothing

"""Two tasks are weighted by the norms of their gradients, which are constants by design; a histogram is logged."""
import torch
from torch import nn


def main():
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Linear(6, 16), nn.Tanh())
    heads = nn.ModuleList([nn.Linear(16, 1), nn.Linear(16, 1)])
    optimizer = torch.optim.Adam([*trunk.parameters(), *heads.parameters()], lr=1e-3)
    for step in range(3):
        x = torch.randn(20, 6)
        shared = trunk(x)
        losses = [(head(shared) - x[:, :1] * (k + 1)).square().mean() for k, head in enumerate(heads)]
        norms = [torch.autograd.grad(loss, shared, retain_graph=True)[0].norm() for loss in losses]
        weights = [sum(norms) / (2 * norm) for norm in norms]
        loss = sum(weight * part for weight, part in zip(weights, losses, strict=True))
        spread = torch.histc(shared, bins=5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(step, f"{loss.item():.4f}", [int(count > 0) for count in spread])


if __name__ == "__main__":
    main()
