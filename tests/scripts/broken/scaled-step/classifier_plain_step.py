# expect: scaled-step
# line: 16
# harmed: *
import torch
from torch import nn

torch.manual_seed(8)
net = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 3))
optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
for x, y in zip(torch.randn(64, 6).split(8), torch.randint(0, 3, (64,)).split(8)):
    optimizer.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = nn.functional.cross_entropy(net(x), y)
    scaler.scale(loss).backward()
    optimizer.step()
    print(loss.item())
