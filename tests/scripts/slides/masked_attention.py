"""Causal attention over three tokens."""
import math
import torch

torch.manual_seed(1)
Q = torch.randn(3, 2, requires_grad=True)
K = torch.randn(3, 2, requires_grad=True)
V = torch.randn(3, 2, requires_grad=True)
mask = torch.triu(torch.ones(3, 3), diagonal=1).bool()

scores = Q @ K.T / math.sqrt(2)
scores = scores.masked_fill(mask, float("-inf"))
A = torch.softmax(scores, dim=-1)
out = A @ V
loss = out.pow(2).sum()
loss.backward()
