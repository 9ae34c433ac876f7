# expect: gradient-underflow
# line: 23 or 26 or 28 or 29
# harmed: *

"""Mixed precision with a gradient scaler, for the smallest of several losses."""
import torch
import torch.nn as nn


class TinyTransformer(nn.Module):
    def __init__(self, features=6, width=16):
        super().__init__()
        self.inp = nn.Linear(features, width)
        self.layer = nn.TransformerEncoderLayer(width, 2, 32, dropout=0.0, batch_first=True, norm_first=True)
        self.out = nn.Linear(width, features)

    def forward(self, x):
        return self.out(self.layer(self.inp(x)))


def train(model, data, steps=4):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    scaler = torch.amp.GradScaler("cpu", init_scale=1.0, growth_interval=1000)
    for step in range(steps):
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.float16):
            pred = model(data[:, :-1])
            loss = 1e-4 * (pred - data[:, 1:]).pow(2).mean()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        print(f"step {step} loss {loss.item():.3e}")


torch.manual_seed(0)
train(TinyTransformer(), torch.randn(32, 20, 6).cumsum(dim=1) * 0.1)
