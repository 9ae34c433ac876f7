# expect: attribute-without-effect
# line: 16
# harmed: *
import torch
from torch import nn

torch.manual_seed(3)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 2))
decay = [p for n, p in model.named_parameters() if n.endswith("weight")]
plain = [p for n, p in model.named_parameters() if n.endswith("bias")]
optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}], lr=0.01)


def adjust(optimizer, epoch):
    lr = 0.01 * 0.5 ** epoch
    optimizer.param_groups[0]["lr"] = lr


x, y = torch.randn(96, 8), torch.randint(0, 2, (96,))
for epoch in range(5):
    adjust(optimizer, epoch)
    for xb, yb in zip(x.split(32), y.split(32)):
        loss = nn.functional.cross_entropy(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
