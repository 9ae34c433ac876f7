"""A softmax of three classes by hand, and its cross-entropy."""
import torch

z = torch.tensor([2.0, 1.0, 0.1], requires_grad=True)

e = torch.exp(z)
total = e.sum()
p = e / total
loss = -torch.log(p[0])
loss.backward()
