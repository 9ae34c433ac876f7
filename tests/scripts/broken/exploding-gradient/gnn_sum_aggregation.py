# expect: exploding-gradient
# line: 16 or 29 or 44
# harmed: *

import torch
import torch.nn as nn
import torch.nn.functional as F


class GraphLayer(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.lin = nn.Linear(dim, dim)

    def forward(self, h, adj):
        return F.relu(adj @ self.lin(h)) + h


class GNN(nn.Module):
    def __init__(self, features, dim, depth, classes):
        super().__init__()
        self.inp = nn.Linear(features, dim)
        self.layers = nn.ModuleList(GraphLayer(dim) for _ in range(depth))
        self.out = nn.Linear(dim, classes)

    def forward(self, x, adj):
        h = self.inp(x)
        for layer in self.layers:
            h = layer(h, adj)
        return self.out(h)


torch.manual_seed(0)
nodes = 40
x = torch.randn(nodes, 6)
adj = (torch.rand(nodes, nodes) < 0.6).float()  # a dense social graph
adj = ((adj + adj.t()) > 0).float()
labels = torch.randint(0, 3, (nodes,))
model = GNN(6, 16, depth=9, classes=3)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(3):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x, adj), labels)
    loss.backward()
    optimizer.step()
    print(epoch, f"{loss.item():.4g}")
