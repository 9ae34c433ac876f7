# expect: unstable-log-softmax
# line: 21
# harmed: *

import torch
import torch.nn as nn
import torch.nn.functional as F


class ConvNet(nn.Module):
    def __init__(self, classes=5):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3)
        self.fc = nn.Linear(6 * 16, classes)

    def forward(self, x):
        return self.fc(F.relu(self.conv(x)).flatten(1))


def nll(logits, target):
    log_probs = torch.log(F.softmax(logits, dim=1))
    return F.nll_loss(log_probs, target)


torch.manual_seed(0)
x, y = torch.randn(12, 1, 6, 6), torch.randint(0, 5, (12,))
model = ConvNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for step in range(4):
    optimizer.zero_grad()
    loss = nll(model(x), y)
    loss.backward()
    optimizer.step()
    print(step, loss.item())
