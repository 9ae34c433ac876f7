# expect: step-without-gradient
# line: 25 or 26
# harmed: *

"""Image classifier with learning-rate decay and a keep-it-short training loop."""
import torch
import torch.nn.functional as F
from torch import nn


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)
        self.norm = nn.GroupNorm(2, 6)
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        h = F.silu(self.norm(self.conv(x)))
        return self.fc(h.mean(dim=(2, 3)))


def update(model, optimizer, loss):
    loss.backward()
    model.zero_grad()
    optimizer.step()


def main():
    torch.manual_seed(0)
    model = ConvNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
    x, y = torch.randn(10, 3, 6, 6), torch.randint(0, 5, (10,))
    for epoch in range(4):
        loss = F.cross_entropy(model(x), y)
        update(model, optimizer, loss)
        scheduler.step()
        print(epoch, loss.item(), scheduler.get_last_lr())


main()
