"""The squared error of a line through one point."""
import torch

x, t = torch.tensor(3.0), torch.tensor(5.0)
w = torch.tensor(1.5, requires_grad=True)
b = torch.tensor(-0.5, requires_grad=True)
y = w*x + b
loss = (y - t) ** 2
loss.backward()
