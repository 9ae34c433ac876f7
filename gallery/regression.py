"""A squared error (wx + b − y)² at w 2, x 3, b 1, y 10: 9; gradients −18, −12, −6, 6."""
import torch

w = torch.tensor(2.0, requires_grad=True)
x = torch.tensor(3.0, requires_grad=True)
b = torch.tensor(1.0, requires_grad=True)
y = torch.tensor(10.0, requires_grad=True)
loss = (w*x + b - y)**2
loss.backward()
