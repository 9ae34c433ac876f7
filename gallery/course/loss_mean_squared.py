"""The mean squared error over three points."""
import torch

x = torch.tensor([1.0, 2.0, 3.0])
t = torch.tensor([2.0, 2.5, 4.0])
w = torch.tensor(1.0, requires_grad=True)
b = torch.tensor(0.5, requires_grad=True)
y = w*x + b
loss = ((y - t) ** 2).mean()
loss.backward()
