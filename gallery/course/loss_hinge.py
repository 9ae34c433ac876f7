"""The hinge loss, inside the margin."""
import torch

x, t = torch.tensor([1.0, 2.0]), torch.tensor(-1.0)
w = torch.tensor([0.5, -0.5], requires_grad=True)
b = torch.tensor(0.2, requires_grad=True)
loss = torch.relu(1 - t * (w @ x + b))
loss.backward()
