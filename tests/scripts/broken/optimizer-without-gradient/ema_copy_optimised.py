# expect: optimizer-without-gradient
# line: 28 or 29 or 43
# harmed: *

"""Graph classification with an averaged copy of the weights for evaluation."""
import copy

import torch
from torch import nn


class GIN(nn.Module):
    def __init__(self, n_feat=4, dim=8):
        super().__init__()
        self.mlp1 = nn.Sequential(nn.Linear(n_feat, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.mlp2 = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.out = nn.Linear(dim, 2)

    def forward(self, x, adj):
        h = self.mlp1(x + adj @ x)
        h = self.mlp2(h + adj @ h)
        return self.out(h.mean(dim=1))


def setup(lr):
    model = GIN()
    ema = copy.deepcopy(model).eval()
    params = [{"params": [p for p in ema.parameters() if p.requires_grad], "lr": lr}]
    return model, ema, torch.optim.AdamW(params)


def main():
    torch.manual_seed(0)
    model, ema, optimizer = setup(lr=5e-3)
    x = torch.randn(10, 6, 4)
    adj = (torch.rand(10, 6, 6) < 0.4).float()
    y = (adj.sum(dim=(1, 2)) > 14).long()
    for epoch in range(4):
        optimizer.zero_grad()
        model.zero_grad()
        loss = nn.functional.cross_entropy(model(x, adj), y)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for p_ema, p in zip(ema.parameters(), model.parameters()):
                p_ema.lerp_(p, 0.01)
        print(epoch, loss.item())


main()
