"""Graph attention with two layers, written out."""

import torch
import torch.nn.functional as F
from torch import nn


class GraphAttentionLayer(nn.Module):
    def __init__(self, inputs, outputs, heads, concat=True):
        super().__init__()
        self.heads, self.hidden, self.concat = heads, outputs // heads if concat else outputs, concat
        self.W = nn.Parameter(torch.empty(inputs, self.hidden * heads))
        self.a = nn.Parameter(torch.empty(heads, 2 * self.hidden, 1))
        nn.init.xavier_normal_(self.W)
        nn.init.xavier_normal_(self.a)

    def forward(self, h, adjacency):
        h = F.dropout(h @ self.W, 0.4, training=self.training)
        h = h.view(h.shape[0], self.heads, self.hidden).permute(1, 0, 2)
        source, target = h @ self.a[:, : self.hidden], h @ self.a[:, self.hidden :]
        scores = F.leaky_relu(source + target.mT, 0.2)
        scores = scores.masked_fill(adjacency == 0, -9e15)
        attention = F.dropout(scores.softmax(dim=-1), 0.4, training=self.training)
        out = attention @ h
        return out.permute(1, 0, 2).reshape(h.shape[1], -1) if self.concat else out.mean(0)


class GAT(nn.Module):
    def __init__(self, features, hidden, classes, heads=4):
        super().__init__()
        self.gat1 = GraphAttentionLayer(features, hidden, heads)
        self.gat2 = GraphAttentionLayer(hidden, classes, 1, concat=False)

    def forward(self, x, adjacency):
        x = F.elu(self.gat1(x, adjacency))
        return F.log_softmax(self.gat2(x, adjacency), dim=1)


torch.manual_seed(0)
features, labels = torch.rand(40, 20), torch.randint(0, 3, (40,))
adjacency = ((torch.rand(40, 40) < 0.1) | torch.eye(40, dtype=torch.bool)).float()
train = torch.arange(20)
model = GAT(20, 32, 3)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=5e-4)
for step in range(3):
    optimizer.zero_grad()
    output = model(features, adjacency)
    loss = F.nll_loss(output[train], labels[train])
    loss.backward()
    optimizer.step()
    print(f"{step} {loss.item():.4f}")
