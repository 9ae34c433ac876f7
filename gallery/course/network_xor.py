"""XOR with two hidden relu neurons, at the input (1, 1)."""
import torch

x, t = torch.tensor([1.0, 1.0]), torch.tensor(0.0)
W = torch.tensor([[1.0, 1.0], [0.8, 1.2]], requires_grad=True)
b = torch.tensor([0.0, -1.0], requires_grad=True)
v = torch.tensor([1.0, -1.5], requires_grad=True)
h = torch.relu(W @ x + b)
y = v @ h
loss = (y - t) ** 2
loss.backward()
