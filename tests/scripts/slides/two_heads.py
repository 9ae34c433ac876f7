"""Two attention heads on two tokens."""
import torch

X = torch.tensor([[1.0, 0.0], [0.5, -1.0]])
Wq = torch.tensor([[0.2, 0.5], [-0.3, 0.8]], requires_grad=True)
Wk = torch.tensor([[0.6, -0.1], [0.4, 0.3]], requires_grad=True)
Wv = torch.tensor([[1.0, 0.2], [-0.5, 0.7]], requires_grad=True)
q, k, v = X @ Wq, X @ Wk, X @ Wv
heads = []
for head in (0, 1):
    score = torch.outer(q[:, head], k[:, head])
    heads.append(torch.softmax(score, dim=1) @ v[:, head])
out = torch.stack(heads, dim=1)
loss = (out**2).sum()
loss.backward()
