"""A layer without bias: the gradient of W is the outer product of δ and x."""
import torch

x = torch.tensor([1.0, 2.0])
W = torch.tensor([[0.5, -1.0], [1.5, 0.3]], requires_grad=True)
h = W @ x
loss = (h**2).sum()
loss.backward()
