# expect: scaled-step
# line: 27
# harmed: *

import torch
from torch import nn


class Trainer:
    """Scales the loss in one method, and steps in another that does not know."""

    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=2048.0)

    def backward(self, x, y):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = nn.functional.mse_loss(self.model(x), y)
        self.scaler.scale(loss / 2).backward()
        return loss.item()

    def fit(self, x, y, epochs=3):
        for epoch in range(epochs):
            self.optimizer.zero_grad()
            total = self.backward(x[:8], y[:8]) + self.backward(x[8:], y[8:])
            self.optimizer.step()
            print(epoch, total)


torch.manual_seed(1)
x = torch.randn(16, 5)
Trainer(nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, 1))).fit(x, x.sum(1, keepdim=True))
