# expect: nothing

"""An energy-based model: negative samples by Langevin steps on the inputs, kept in a buffer."""
import torch
from torch import nn

torch.manual_seed(0)
energy = nn.Sequential(nn.Linear(2, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(energy.parameters(), lr=1e-3)
buffer = torch.randn(64, 2)


def langevin(x, count=5, size=0.1):
    for parameter in energy.parameters():
        parameter.requires_grad_(False)
    for _ in range(count):
        x = x.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(energy(x).sum(), x)
        x = x - size / 2 * slope + size**0.5 * torch.randn_like(x)
    for parameter in energy.parameters():
        parameter.requires_grad_(True)
    return x.detach()


for step in range(4):
    index = torch.randint(0, len(buffer), (16,))
    fake = langevin(buffer[index])
    buffer[index] = fake
    real = torch.randn(16, 2) * torch.tensor([1.0, 0.3]) + 1
    on_real, on_fake = energy(real), energy(fake)
    loss = (on_real - on_fake).mean() + 0.1 * (on_real**2 + on_fake**2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
