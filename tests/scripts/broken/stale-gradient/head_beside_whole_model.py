# expect: stale-gradient
# line: 34
# harmed: head.*

import torch
from torch import nn


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.head = nn.Linear(16, 5)

    def forward(self, images):
        return self.head(self.body(images))


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizers = [
            torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
            torch.optim.AdamW(model.head.parameters(), lr=1e-3),
        ]

    def train(self, images, labels):
        loss = nn.functional.cross_entropy(self.model(images), labels)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for optimizer in self.optimizers:
            # every optimizer of the list steps
            optimizer.step()
        return loss.item()


torch.manual_seed(0)
trainer = Trainer(Classifier())
for step in range(4):
    print(trainer.train(torch.randn(16, 1, 8, 8), torch.randint(5, (16,))))
