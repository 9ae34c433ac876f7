"""Squeeze and excitation over two channels."""
import torch

x = torch.tensor([[1.0, 2.0, 0.5], [-1.0, 0.0, 3.0]])
w1 = torch.tensor([[0.5, -0.3]], requires_grad=True)
w2 = torch.tensor([[0.8], [-0.6]], requires_grad=True)
s = x.mean(dim=1)
e = torch.sigmoid(w2 @ torch.relu(w1 @ s))
y = x * e[:, None]
loss = y.pow(2).mean()
loss.backward()
