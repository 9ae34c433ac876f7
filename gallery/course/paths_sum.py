"""A sum hands its gradient on to every term unchanged."""
import torch

a = torch.tensor(1.0, requires_grad=True)
b = torch.tensor(-2.0, requires_grad=True)
c = torch.tensor(3.0, requires_grad=True)
s = (a + b + c) ** 2
s.backward()
