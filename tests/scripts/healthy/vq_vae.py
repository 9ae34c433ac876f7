# expect: nothing

"""VQ-VAE: nearest code, straight-through gradient, commitment loss."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class VectorQuantizer(nn.Module):
    def __init__(self, codes=16, dim=4, beta=0.25):
        super().__init__()
        self.codebook = nn.Embedding(codes, dim)
        nn.init.uniform_(self.codebook.weight, -1, 1)
        self.beta = beta

    def forward(self, z):
        index = torch.cdist(z, self.codebook.weight).argmin(dim=1)
        q = self.codebook(index)
        loss = F.mse_loss(q, z.detach()) + self.beta * F.mse_loss(z, q.detach())
        q = z + (q - z).detach()
        return q, loss


class VQVAE(nn.Module):
    def __init__(self, n=12):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(n, 24), nn.ReLU(), nn.Linear(24, 4))
        self.quantizer = VectorQuantizer()
        self.decoder = nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, n))

    def forward(self, x):
        q, vq_loss = self.quantizer(self.encoder(x))
        return self.decoder(q), vq_loss


torch.manual_seed(0)
model = VQVAE()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
x = torch.randn(6, 12).repeat(8, 1) + 0.1 * torch.randn(48, 12)
for step in range(8):
    recon, vq_loss = model(x)
    loss = F.mse_loss(recon, x) + vq_loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
