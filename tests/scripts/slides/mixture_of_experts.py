"""Two experts and a gate."""
import torch

x = torch.tensor(1.5)
a1, a2 = torch.tensor(0.5, requires_grad=True), torch.tensor(-1.0, requires_grad=True)
b1, b2 = torch.tensor(0.2, requires_grad=True), torch.tensor(0.4, requires_grad=True)
gate = torch.tensor([0.3, -0.6], requires_grad=True)
p = torch.softmax(gate * x, dim=0)
e1 = torch.relu(a1 * x + b1)
e2 = torch.relu(a2 * x + b2)
y = p[0] * e1 + p[1] * e2
loss = (y - 1) ** 2
loss.backward()
