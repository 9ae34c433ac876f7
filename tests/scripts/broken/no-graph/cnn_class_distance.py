# expect: no-graph
# line: 24
# harmed: conv.*, fc.*
# exit: 1

import torch
import torch.nn as nn
import torch.nn.functional as F


class DigitNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.fc = nn.Linear(4 * 4 * 4, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        return self.fc(x.flatten(1))


def ordinal_loss(logits, target):
    # digits are ordered, so predicting 7 for 8 is better than predicting 0
    predicted = logits.argmax(dim=1).float()
    return ((predicted - target.float()) ** 2).mean()


torch.manual_seed(1)
model = DigitNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
images = torch.rand(16, 1, 8, 8)
digits = torch.randint(0, 10, (16,))

for step in range(3):
    optimizer.zero_grad()
    loss = ordinal_loss(model(images), digits)
    loss.backward()
    optimizer.step()
    print(step, loss.item())
