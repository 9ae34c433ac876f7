# expect: nothing

"""Distillation of logits and of hidden features from a frozen teacher, through a regressor."""
import torch
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(12, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.head = nn.Linear(width, 5)

    def forward(self, x):
        h = self.features(x)
        return h, self.head(h)


torch.manual_seed(0)
teacher = Net(32).eval()
for parameter in teacher.parameters():
    parameter.requires_grad = False
student, regressor = Net(12), nn.Linear(12, 32)
optimizer = torch.optim.AdamW([*student.parameters(), *regressor.parameters()], lr=1e-3)
for step in range(4):
    x, y = torch.randn(24, 12), torch.randint(0, 5, (24,))
    with torch.no_grad():
        wanted_h, wanted = teacher(x)
    h, logits = student(x)
    soft = F.kl_div(F.log_softmax(logits / 4, 1), F.softmax(wanted / 4, 1), reduction="batchmean") * 16
    loss = F.cross_entropy(logits, y) + 0.5 * soft + 0.1 * F.mse_loss(regressor(h), wanted_h)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
