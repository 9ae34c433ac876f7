# expect: nothing

"""A feed-forward net with gelu under float16 autocast: the scaler starts too high, so its first steps are skipped."""
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(12, 48), nn.GELU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24)
inputs = torch.randn(128, 12)
targets = inputs.pow(2).sum(dim=1, keepdim=True)

for step in range(12):
    optimizer.zero_grad()
    with torch.autocast("cpu", dtype=torch.float16):
        predictions = model(inputs)
    loss = nn.functional.mse_loss(predictions.float(), targets)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    print(f"{step:2d} loss {loss.item():.3f} scale {scaler.get_scale():.0f}")
