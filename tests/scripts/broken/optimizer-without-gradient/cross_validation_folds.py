# expect: optimizer-without-gradient
# line: 23 or 26 or 33
# harmed: *

import torch
from torch import nn


def build_model():
    return nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, 1))


def kfold(n, k):
    index = torch.randperm(n)
    for part in index.chunk(k):
        rest = torch.tensor([i for i in index.tolist() if i not in set(part.tolist())])
        yield rest, part


class Experiment:
    def __init__(self, lr):
        self.model = build_model()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=lr)

    def reset(self):
        self.model = build_model()

    def fit(self, x, y, epochs):
        for _ in range(epochs):
            self.model.zero_grad()
            loss = nn.functional.mse_loss(self.model(x), y)
            loss.backward()
            self.optimizer.step()
        return loss.item()


torch.manual_seed(0)
x = torch.randn(30, 5)
y = x[:, :2].sum(dim=1, keepdim=True)
experiment = Experiment(lr=1e-2)
for fold, (train_idx, val_idx) in enumerate(kfold(30, 2)):
    experiment.reset()
    train_loss = experiment.fit(x[train_idx], y[train_idx], epochs=3)
    with torch.no_grad():
        val_loss = nn.functional.mse_loss(experiment.model(x[val_idx]), y[val_idx])
    print(f"fold {fold}: train {train_loss:.4f} val {val_loss.item():.4f}")
