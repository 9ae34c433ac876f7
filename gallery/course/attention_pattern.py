"""Attention among six tokens: scores, pattern and gradients."""
import torch

torch.manual_seed(0)
S = torch.randn(6, 6, requires_grad=True)
V = torch.randn(6, 4, requires_grad=True)
T = torch.randn(6, 4)
A = torch.softmax(S, dim=-1)
Y = A @ V
loss = ((Y - T) ** 2).mean()
loss.backward()
