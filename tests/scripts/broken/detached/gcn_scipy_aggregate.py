# expect: detached
# line: 27
# harmed: lin1.weight, lin1.bias

"""Two-layer graph convolution on a ring of 10 nodes."""
import torch
import torch.nn.functional as F
from torch import nn


def normalised_adjacency(n):
    adj = torch.eye(n)
    for i in range(n):
        adj[i, (i + 1) % n] = adj[(i + 1) % n, i] = 1.0
    deg = adj.sum(1)
    return adj / torch.sqrt(deg[:, None] * deg[None, :])


class GCN(nn.Module):
    def __init__(self, adj):
        super().__init__()
        self.adj = adj
        self.lin1 = nn.Linear(5, 8)
        self.lin2 = nn.Linear(8, 2)

    def propagate(self, h):
        out = self.adj.numpy() @ h.cpu().detach().numpy()
        return torch.from_numpy(out)

    def forward(self, x):
        h = F.relu(self.propagate(self.lin1(x)))
        return self.adj @ self.lin2(h)


torch.manual_seed(0)
graph = normalised_adjacency(10)
features = torch.randn(10, 5)
labels = (features.sum(1) > 0).long()
model = GCN(graph)
optimizer = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=5e-4)
for epoch in range(5):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(features), labels)
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch}: {loss.item():.3f}")
