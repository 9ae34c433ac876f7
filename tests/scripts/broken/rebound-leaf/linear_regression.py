# expect: rebound-leaf
# line: 23 or 24
# harmed: w, b
# exit: 1

import torch

torch.manual_seed(42)

# synthetic data: y = 3x - 2 + noise
x = torch.randn(100, 1)
y = 3 * x - 2 + 0.1 * torch.randn(100, 1)

w = torch.zeros(1, 1, requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr = 0.1

for epoch in range(20):
    y_hat = x @ w + b
    loss = ((y_hat - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w = w - lr * w.grad
        b = b - lr * b.grad
    print(f"epoch {epoch}: {loss.item():.4f}")

print("w =", w.item(), "b =", b.item())
