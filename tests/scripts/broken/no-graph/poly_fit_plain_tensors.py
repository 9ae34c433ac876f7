# expect: no-graph
# line: 15 or 22
# harmed: coeffs
# exit: 1

# Fit a cubic to sin(x) by hand-written gradient descent.
import math

import torch

torch.manual_seed(0)
x = torch.linspace(-math.pi, math.pi, 50)
y = torch.sin(x)

coeffs = torch.randn(4)
powers = torch.stack([x**k for k in range(4)], dim=1)
learning_rate = 1e-5

for t in range(10):
    y_pred = powers @ coeffs
    loss = (y_pred - y).pow(2).sum()
    loss.backward()
    with torch.no_grad():
        coeffs -= learning_rate * coeffs.grad
        coeffs.grad = None
    print(t, loss.item())

print("y = " + " + ".join(f"{c:.3f} x^{k}" for k, c in enumerate(coeffs.tolist())))
