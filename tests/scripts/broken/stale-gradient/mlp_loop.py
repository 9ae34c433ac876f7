# expect: stale-gradient
# line: 19 or 20
# harmed: *

import torch
import torch.nn as nn

torch.manual_seed(0)
x = torch.linspace(-1, 1, 64).unsqueeze(1)
y = x**3 + 0.05 * torch.randn_like(x)

net = nn.Sequential(nn.Linear(1, 20), nn.ReLU(), nn.Linear(20, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
loss_func = nn.MSELoss()

for t in range(6):
    prediction = net(x)
    loss = loss_func(prediction, y)
    loss.backward()
    optimizer.step()
    print(f"t={t} loss={loss.item():.4f}")
