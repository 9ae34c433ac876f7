"""A neuron on a vector: the gradient of w is the input, scaled."""
import torch

x = torch.tensor([1.0, -2.0, 0.5])
w = torch.tensor([0.4, 0.3, -0.6], requires_grad=True)
b = torch.tensor(0.1, requires_grad=True)
y = torch.sigmoid(w @ x + b)
y.backward()
