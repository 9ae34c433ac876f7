# expect: nothing

# Minimise the Rosenbrock function by plain gradient descent with a manual update.
import torch


def rosenbrock(x, y):
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


x = torch.tensor(-1.2, requires_grad=True)
y = torch.tensor(1.0, requires_grad=True)
lr = 1e-3

for step in range(10):
    z = rosenbrock(x, y)
    z.backward()
    with torch.no_grad():
        x -= lr * x.grad
        y -= lr * y.grad
        x.grad = None
        y.grad = None
    print(f"{step}: f({x.item():.4f}, {y.item():.4f}) = {z.item():.4f}")
