# expect: nothing

"""A latent model with a KL weight that warms up from zero, and gumbel-softmax codes."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class DiscreteVAE(nn.Module):
    def __init__(self, n=10, groups=3, codes=4):
        super().__init__()
        self.groups, self.codes = groups, codes
        self.encoder = nn.Sequential(nn.Linear(n, 24), nn.ReLU(), nn.Linear(24, groups * codes))
        self.decoder = nn.Sequential(nn.Linear(groups * codes, 24), nn.ReLU(), nn.Linear(24, n))

    def forward(self, x, tau, hard):
        logits = self.encoder(x).view(-1, self.groups, self.codes)
        z = F.gumbel_softmax(logits, tau=tau, hard=hard)
        log_q = F.log_softmax(logits, dim=-1)
        kl = (log_q.exp() * (log_q - torch.log(torch.tensor(1.0 / self.codes)))).sum(dim=(1, 2)).mean()
        return self.decoder(z.flatten(1)), kl


torch.manual_seed(0)
x = torch.randn(4, 10).repeat(10, 1) + 0.1 * torch.randn(40, 10)
model = DiscreteVAE()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(8):
    beta = min(1.0, epoch / 20)
    recon, kl = model(x, tau=max(0.5, 1.0 - 0.05 * epoch), hard=epoch % 2 == 1)
    loss = F.mse_loss(recon, x) + 0.01 * beta * kl
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(epoch, loss.item(), kl.item())
