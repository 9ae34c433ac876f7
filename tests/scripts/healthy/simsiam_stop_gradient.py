# expect: nothing

"""SimSiam: a predictor on one view, a stop-gradient on the other."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class SimSiam(nn.Module):
    def __init__(self, n_in=12, dim=16, pred=8):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(n_in, 32, bias=False), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, dim)
        )
        self.predictor = nn.Sequential(
            nn.Linear(dim, pred, bias=False), nn.BatchNorm1d(pred), nn.ReLU(), nn.Linear(pred, dim)
        )

    def forward(self, x1, x2):
        z1, z2 = self.encoder(x1), self.encoder(x2)
        return self.predictor(z1), self.predictor(z2), z1.detach(), z2.detach()


torch.manual_seed(0)
model = SimSiam()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
x = torch.randn(32, 12)
for step in range(8):
    x1, x2 = x + 0.1 * torch.randn_like(x), x + 0.1 * torch.randn_like(x)
    p1, p2, z1, z2 = model(x1, x2)
    loss = -(F.cosine_similarity(p1, z2).mean() + F.cosine_similarity(p2, z1).mean()) * 0.5
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
