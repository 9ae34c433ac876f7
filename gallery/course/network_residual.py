"""A residual block: the identity carries the gradient past the layer."""
import torch

x = torch.tensor(1.0, requires_grad=True)
w = torch.tensor(0.1, requires_grad=True)
h = torch.tanh(w*x)
y = x + h
y.backward()
