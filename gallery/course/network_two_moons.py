"""Eight hidden neurons learn to tell two moons apart."""
import torch

torch.manual_seed(0)
angle = torch.linspace(0, torch.pi, 8)
upper = torch.stack([angle.cos(), angle.sin()], 1)
lower = torch.stack([1 - angle.cos(), 0.5 - angle.sin()], 1)
x = torch.cat([upper, lower])
y = torch.tensor([0.0] * 8 + [1.0] * 8)
W = torch.randn(8, 2, requires_grad=True)
b = torch.zeros(8, requires_grad=True)
v = torch.randn(8, requires_grad=True)
h = torch.relu(x @ W.T + b)
p = torch.sigmoid(h @ v)
loss = ((p - y) ** 2).mean()
loss.backward()
