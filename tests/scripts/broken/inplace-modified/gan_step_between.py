# expect: inplace-modified
# line: 31
# harmed: *
# exit: 1

import torch
import torch.nn as nn

torch.manual_seed(0)
G = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
D = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
opt_g = torch.optim.Adam(G.parameters(), lr=1e-3)
opt_d = torch.optim.Adam(D.parameters(), lr=1e-3)
bce = nn.BCEWithLogitsLoss()


def losses(real):
    fake = G(torch.randn(len(real), 4))
    real_score = D(real)
    d_loss = bce(real_score, torch.ones_like(real_score))
    d_loss = d_loss + bce(D(fake.detach()), torch.zeros(len(real), 1))
    g_loss = bce(D(fake), torch.ones(len(real), 1))
    return d_loss, g_loss


for it in range(3):
    real = torch.randn(16, 2) * 0.5 + 2.0
    d_loss, g_loss = losses(real)
    opt_d.zero_grad()
    d_loss.backward()
    opt_d.step()

    opt_g.zero_grad()
    g_loss.backward()
    opt_g.step()
    print(f"{it}: D {d_loss.item():.3f} G {g_loss.item():.3f}")
