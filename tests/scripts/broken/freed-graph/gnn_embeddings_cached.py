# expect: freed-graph
# line: 19 or 29 or 36
# harmed: *
# exit: 1

"""Link prediction: node embeddings from a graph network, scores by dot products."""
import torch
from torch import nn


class GraphEncoder(nn.Module):
    def __init__(self, features, dim):
        super().__init__()
        self.lin_self = nn.Linear(features, dim)
        self.lin_neigh = nn.Linear(features, dim)

    def forward(self, x, adj):
        neigh = adj @ x / adj.sum(dim=1, keepdim=True).clamp(min=1)
        return torch.tanh(self.lin_self(x) + self.lin_neigh(neigh))


def main():
    torch.manual_seed(0)
    x = torch.randn(12, 5)
    adj = (torch.rand(12, 12) < 0.3).float()
    edges = adj.nonzero()
    encoder = GraphEncoder(5, 6)
    optimizer = torch.optim.Adam(encoder.parameters(), lr=0.01)
    emb = encoder(x, adj)
    for batch in edges.split(8):
        optimizer.zero_grad()
        negatives = torch.randint(0, 12, (len(batch),))
        pos = (emb[batch[:, 0]] * emb[batch[:, 1]]).sum(-1)
        neg = (emb[batch[:, 0]] * emb[negatives]).sum(-1)
        loss = -nn.functional.logsigmoid(pos).mean() - nn.functional.logsigmoid(-neg).mean()
        loss.backward()
        optimizer.step()
        print(f"loss {loss.item():.4f}")


main()
