"""A small transformer block: attention, residual, layer norm, two layers."""
import torch
import torch.nn.functional as F

torch.manual_seed(0)
X = torch.tensor([[1.0, 0.0], [0.5, -1.0]])
Wq, Wk, Wv, W1, W2 = (torch.randn(2, 2, requires_grad=True) for _ in range(5))
A = torch.softmax((X @ Wq) @ (X @ Wk).T / 2**0.5, dim=-1)
Z = X + A @ (X @ Wv)
N = F.layer_norm(Z, (2,))
H = N + torch.relu(N @ W1) @ W2
loss = H.pow(2).mean()
loss.backward()
