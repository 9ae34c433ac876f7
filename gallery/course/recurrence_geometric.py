"""h₄ = w⁴ · h₀: a linear recurrence multiplies by w at every step."""
import torch

w = torch.tensor(0.5, requires_grad=True)
h = torch.tensor(1.0, requires_grad=True)
h0 = h
for _ in range(4):
    h = w * h
h.backward()
