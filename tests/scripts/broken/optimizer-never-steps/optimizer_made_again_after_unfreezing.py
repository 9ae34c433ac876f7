# expect: optimizer-never-steps
# line: 21
# harmed: head.*

import torch
from torch import nn


class Tuner:
    def __init__(self, body, head):
        self.body, self.head = body, head
        self.body.requires_grad_(False)
        self.set_up(0.05)
        self.unfreeze()

    def parameters(self):
        return [p for part in (self.body, self.head) for p in part.parameters() if p.requires_grad]

    def set_up(self, rate):
        self.optimizer = torch.optim.SGD(self.parameters(), lr=rate, momentum=0.9)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=2)

    def unfreeze(self):
        self.body.requires_grad_(True)
        self.optimizer = torch.optim.SGD(self.parameters(), lr=0.005)

    def train(self, x, y):
        self.optimizer.zero_grad()
        loss = nn.functional.mse_loss(self.head(self.body(x)), y)
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        return loss.item()


torch.manual_seed(0)
body = nn.Sequential(nn.Linear(8, 8), nn.Tanh())
head = nn.Linear(8, 1)
tuner = Tuner(body, head)
for step in range(5):
    print(tuner.train(torch.randn(16, 8), torch.randn(16, 1)))
