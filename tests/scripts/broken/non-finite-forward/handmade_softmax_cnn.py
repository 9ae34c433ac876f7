# expect: non-finite-forward
# line: 21
# harmed: *

import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)
        self.fc = nn.Linear(8 * 6 * 6, 10)

    def forward(self, x):
        x = torch.relu(self.conv(x))
        return self.fc(x.flatten(1))


def softmax(x):
    e = torch.exp(x)
    return e / e.sum(dim=1, keepdim=True)


def nll(prob, target):
    return -(prob[torch.arange(len(target)), target] + 1e-8).log().mean()


torch.manual_seed(0)
images = torch.randint(0, 256, (8, 1, 8, 8)).float()  # raw grey values
labels = torch.randint(0, 10, (8,))
model = Net()
with torch.no_grad():
    model.fc.weight.mul_(4)  # the checkpoint's scale
optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
for step in range(3):
    optimizer.zero_grad()
    loss = nll(softmax(model(images)), labels)
    loss.backward()
    optimizer.step()
    print(step, loss.item())
