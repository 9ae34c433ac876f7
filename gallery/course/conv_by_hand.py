"""A convolution by hand: one kernel of two weights, used at three places."""
import torch

x1, x2, x3, x4 = torch.tensor([1.0, 0.0, -1.0, 2.0])
k1 = torch.tensor(0.5, requires_grad=True)
k2 = torch.tensor(-1.0, requires_grad=True)
y1 = k1*x1 + k2*x2
y2 = k1*x2 + k2*x3
y3 = k1*x3 + k2*x4
loss = y1**2 + y2**2 + y3**2
loss.backward()
