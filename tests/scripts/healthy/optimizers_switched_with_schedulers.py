# expect: nothing

import torch
from torch import nn
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, ReduceLROnPlateau, SequentialLR

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 1))
first = torch.optim.Adam(model.parameters(), lr=1e-2)
second = torch.optim.SGD(model.parameters(), lr=1e-2)
warm_up = ConstantLR(first, factor=0.5, total_iters=1)
decay = SequentialLR(first, [warm_up, CosineAnnealingLR(first, T_max=4)], milestones=[1])
plateau = ReduceLROnPlateau(second, patience=1)
fine = CosineAnnealingLR(second, T_max=4)
x, y = torch.randn(32, 6), torch.randn(32, 1)
for epoch in range(6):
    optimizer, scheduler = (second, fine) if epoch < 3 else (first, decay)
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
    scheduler.step()
    plateau.step(loss.item())
