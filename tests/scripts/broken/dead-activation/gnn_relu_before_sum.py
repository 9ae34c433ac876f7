# expect: dead-activation
# line: 27 or 33
# harmed: *

"""Graph regression: the energy of a molecule from its atoms."""
import torch
from torch import nn


class MessagePassing(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.message = nn.Linear(dim, dim)
        self.update = nn.Linear(2 * dim, dim)

    def forward(self, h, adj):
        m = adj @ torch.tanh(self.message(h))
        return torch.tanh(self.update(torch.cat([h, m], dim=1)))


class EnergyNet(nn.Module):
    def __init__(self, species=4, dim=10):
        super().__init__()
        self.embed = nn.Embedding(species, dim)
        self.layers = nn.ModuleList(MessagePassing(dim) for _ in range(2))
        self.readout = nn.Linear(dim, 1)
        nn.init.constant_(self.readout.bias, -3.0)  # typical energy per atom

    def forward(self, atoms, adj):
        h = self.embed(atoms)
        for layer in self.layers:
            h = layer(h, adj)
        return torch.relu(self.readout(h)).sum()


torch.manual_seed(0)
atoms = torch.randint(0, 4, (9,))
adj = (torch.rand(9, 9) < 0.3).float()
energy = torch.tensor(-25.0)
model = EnergyNet()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(3):
    optimizer.zero_grad()
    loss = (model(atoms, adj) - energy).abs()
    loss.backward()
    optimizer.step()
    print(step, loss.item())
