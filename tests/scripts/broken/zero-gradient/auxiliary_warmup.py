# expect: zero-gradient
# line: 38
# harmed: aux.weight, aux.bias

import torch
import torch.nn as nn
import torch.nn.functional as F


class TwoHeaded(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1)
        self.aux = nn.Linear(6, 4)
        self.fc = nn.Linear(6, 4)

    def forward(self, x):
        h = F.relu(self.conv1(x))
        side = self.aux(h.mean(dim=(2, 3)))
        h = F.relu(self.conv2(h))
        return self.fc(h.mean(dim=(2, 3))), side


def auxiliary_weight(step, total, top=0.4):
    """Rises linearly from a tenth to `top`."""
    return top * ((step + total // 10) // total)


torch.manual_seed(0)
total_steps = 40
net = TwoHeaded()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
x, y = torch.randn(16, 1, 6, 6), torch.randint(0, 4, (16,))
for step in range(6):
    main_out, side_out = net(x)
    loss = F.cross_entropy(main_out, y)
    loss = loss + auxiliary_weight(step, total_steps) * F.cross_entropy(side_out, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
