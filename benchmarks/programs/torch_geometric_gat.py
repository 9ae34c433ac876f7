"""Attention on a graph with torch_geometric's convolutions and its Data."""

import torch
import torch.nn.functional as F
from torch_geometric.data import Data
from torch_geometric.nn import GATConv


class GAT(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = GATConv(20, 8, heads=4, dropout=0.3)
        self.conv2 = GATConv(32, 3, heads=1, concat=False, dropout=0.3)

    def forward(self, x, edge_index):
        x = F.elu(self.conv1(F.dropout(x, 0.3, self.training), edge_index))
        return self.conv2(F.dropout(x, 0.3, self.training), edge_index)


torch.manual_seed(0)
data = Data(x=torch.rand(40, 20), edge_index=torch.randint(0, 40, (2, 150)), y=torch.randint(0, 3, (40,)))
data.train_mask = torch.arange(40) < 20
model = GAT()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(3):
    optimizer.zero_grad()
    out = model(data.x, data.edge_index)
    loss = F.cross_entropy(out[data.train_mask], data.y[data.train_mask])
    loss.backward()
    optimizer.step()
    print(f"{step} {loss.item():.4f}")
