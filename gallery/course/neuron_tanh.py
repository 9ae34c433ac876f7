"""A tanh neuron with two inputs."""
import torch

x1, x2 = torch.tensor(2.0), torch.tensor(-1.0)
w1 = torch.tensor(0.5, requires_grad=True)
w2 = torch.tensor(1.0, requires_grad=True)
b = torch.tensor(0.3, requires_grad=True)
z = w1*x1 + w2*x2 + b
y = torch.tanh(z)
y.backward()
