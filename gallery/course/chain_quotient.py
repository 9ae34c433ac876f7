"""The quotient rule: q = u / v."""
import torch

u = torch.tensor(3.0, requires_grad=True)
v = torch.tensor(2.0, requires_grad=True)
q = u / v
q.backward()
