"""Three paths lead from z back to x: z = x·y + (x + y)·x."""
import torch

x = torch.tensor(2.0, requires_grad=True)
y = torch.tensor(-1.0, requires_grad=True)
s = x + y
p = x * y
z = p + s*x
z.backward()
