"""A network with two inputs, three hidden neurons and one output."""
import torch

x, t = torch.tensor([0.5, -1.0]), torch.tensor(1.0)
W1 = torch.tensor([[0.1, 0.4], [-0.3, 0.2], [0.5, -0.6]], requires_grad=True)
b1 = torch.tensor([0.0, 0.1, -0.1], requires_grad=True)
W2 = torch.tensor([0.7, -0.5, 0.2], requires_grad=True)
b2 = torch.tensor(0.05, requires_grad=True)
h = torch.tanh(W1 @ x + b1)
y_hat = torch.sigmoid(W2 @ h + b2)
loss = -(t * torch.log(y_hat) + (1 - t) * torch.log(1 - y_hat))
loss.backward()
