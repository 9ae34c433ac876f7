"""The curvature of the logistic loss."""
import torch

w = torch.tensor(0.5, requires_grad=True)
x, y = 2.0, 1.0
loss = -torch.log(torch.sigmoid(y * w * x))
(g,) = torch.autograd.grad(loss, w, create_graph=True)
g.backward()
