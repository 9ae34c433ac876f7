# expect: nothing

"""Hamiltonian Monte Carlo beside training: the sampler switches requires_grad on for one gradient."""
import torch
from torch import nn


class Sampler:
    def __init__(self, energy, start):
        self.energy, self.position = energy, start

    def slope(self, z):
        for value in z.values():
            value.requires_grad_(True)
        energy = self.energy(z)
        slopes = torch.autograd.grad(energy, list(z.values()))
        for value in z.values():
            value.requires_grad_(False)
        return dict(zip(z, slopes)), energy.detach()

    def step(self, size=0.1, count=3):
        z = {name: value.clone() for name, value in self.position.items()}
        r = {name: torch.randn_like(value) for name, value in z.items()}
        slopes, first = self.slope(z)
        for _ in range(count):
            r = {name: r[name] - size / 2 * slopes[name] for name in z}
            z = {name: z[name] + size * r[name] for name in z}
            slopes, last = self.slope(z)
            r = {name: r[name] - size / 2 * slopes[name] for name in z}
        if torch.rand(()) < (first - last).exp():
            self.position = z
        return self.position


torch.manual_seed(0)
sampler = Sampler(
    lambda z: z["a"].pow(2).sum() / 2 + (z["b"] - z["a"].mean()).pow(2).sum(),
    {"a": torch.randn(3), "b": torch.randn(2)},
)
model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(4):
    x = torch.stack([torch.cat(list(sampler.step().values())) for _ in range(8)])
    loss = (model(x) - x.sum(1, keepdim=True)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
