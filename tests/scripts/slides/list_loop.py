"""A deep chain with a list of weights."""
import torch

ws = [torch.tensor(v, requires_grad=True) for v in (0.5, 1.5, -0.7, 0.9, 1.1)]
h = torch.tensor(1.0)
for w in ws:
    h = torch.tanh(w * h)
loss = (h - 1) ** 2
loss.backward()
