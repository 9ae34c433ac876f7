"""CS231n: a sigmoid neuron with w = (2, −3, −3) and x = (−1, −2): 0.7311."""
import torch

w0 = torch.tensor(2.0, requires_grad=True)  # inspect: w0 = w_0, w1 = w_1, w2 = w_2, x0 = x_0, x1 = x_1
x0 = torch.tensor(-1.0, requires_grad=True)
w1 = torch.tensor(-3.0, requires_grad=True)
x1 = torch.tensor(-2.0, requires_grad=True)
w2 = torch.tensor(-3.0, requires_grad=True)
s = w0*x0 + w1*x1 + w2
f = torch.reciprocal(1 + torch.exp(-s))
f.backward()
