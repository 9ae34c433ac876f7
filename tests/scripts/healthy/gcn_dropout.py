# expect: nothing

"""Semi-supervised node classification: the loss sees only a few labelled nodes."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class GraphConvolution(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_in, n_out))
        self.bias = nn.Parameter(torch.zeros(n_out))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x, adj):
        return torch.sparse.mm(adj, x @ self.weight) + self.bias


class GCN(nn.Module):
    def __init__(self, features, hidden, classes):
        super().__init__()
        self.gc1 = GraphConvolution(features, hidden)
        self.gc2 = GraphConvolution(hidden, classes)

    def forward(self, x, adj):
        x = F.dropout(F.relu(self.gc1(x, adj)), 0.5, training=self.training)
        return F.log_softmax(self.gc2(x, adj), dim=1)


def ring(n):
    adj = torch.eye(n) + torch.eye(n).roll(1, 0) + torch.eye(n).roll(-1, 0)
    return (adj / adj.sum(dim=1, keepdim=True)).to_sparse()


torch.manual_seed(0)
n = 30
x = torch.randn(n, 8)
labels = (torch.arange(n) * 3 // n).long()
labelled = torch.tensor([2, 5, 12, 15, 22, 25])
model = GCN(8, 16, 3)
optimizer = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=5e-4)
adj = ring(n)
for epoch in range(6):
    model.train()
    optimizer.zero_grad()
    loss = F.nll_loss(model(x, adj)[labelled], labels[labelled])
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
