# expect: non-finite-forward
# line: 25 or 26
# harmed: *

import torch
import torch.nn as nn


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv1d(2, 6, 3, padding=1), nn.ReLU())
        self.score = nn.Conv1d(6, 1, 1)

    def forward(self, signal):
        return torch.sigmoid(self.score(self.backbone(signal))).squeeze(1)


class FocalLoss(nn.Module):
    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, p, target):
        pos = target * (1 - p) ** self.gamma * torch.log(p)
        neg = (1 - target) * p**self.gamma * torch.log(1 - p)
        return -(pos + neg).mean()


torch.manual_seed(0)
signal = torch.randn(6, 2, 20)
signal[0, :, 10] = 900.0  # a spike of the sensor
events = (signal[:, 0] > 1.0).float()
model = Detector()
criterion = FocalLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(3):
    optimizer.zero_grad()
    loss = criterion(model(signal), events)
    loss.backward()
    optimizer.step()
    print(step, loss.item())
