# expect: optimizer-never-steps
# line: 20
# harmed: *

"""A classifier; only the scheduler is stepped."""
import warnings

import torch
from torch import nn


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = self.make_optimizer()
        self.scheduler = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, 0.9)

    def make_optimizer(self):
        weights = self.model.parameters()
        return torch.optim.SGD(weights, lr=0.1)

    def epoch(self):
        x, labels = torch.randn(16, 4), torch.randint(3, (16,))
        loss = nn.functional.cross_entropy(self.model(x), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.scheduler.step()
        return loss.item()


def main():
    warnings.simplefilter("ignore")
    torch.manual_seed(1)
    trainer = Trainer(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)))
    for epoch in range(4):
        print(epoch, f"{trainer.epoch():.4f}")


if __name__ == "__main__":
    main()
