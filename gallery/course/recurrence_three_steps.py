"""A recurrent net over three steps: w and u are shared."""
import torch

w = torch.tensor(0.9, requires_grad=True)
u = torch.tensor(0.5, requires_grad=True)
v = torch.tensor(2.0, requires_grad=True)
h = torch.tensor(0.0)
for x in (1.0, -0.5, 2.0):
    h = torch.tanh(w*h + u*x)
y = v * h
y.backward()
