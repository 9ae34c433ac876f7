"""A sigmoid neuron: its slope is σ(z) · (1 − σ(z))."""
import torch

x = torch.tensor(1.5)
w = torch.tensor(0.8, requires_grad=True)
b = torch.tensor(-0.5, requires_grad=True)
z = w*x + b
y = torch.sigmoid(z)
y.backward()
