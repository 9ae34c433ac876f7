"""A batch of three points through one linear layer: every row adds to the gradient of W."""
import torch

X = torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
t = torch.tensor([[1.0], [0.0], [2.0]])
W = torch.tensor([[0.5], [-0.5]], requires_grad=True)
b = torch.tensor([0.1], requires_grad=True)
y = X @ W + b
loss = ((y - t) ** 2).mean()
loss.backward()
