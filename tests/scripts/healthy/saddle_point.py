# expect: nothing

# The saddle z = x^2 - y^2: at the origin both derivatives vanish.
import torch

x = torch.tensor(0.0, requires_grad=True)
y = torch.tensor(0.0, requires_grad=True)

for step in range(3):
    z = x**2 - y**2
    z.backward()
    print(f"step {step}: z = {z.item()}, dz/dx = {x.grad.item()}, dz/dy = {y.grad.item()}")
    with torch.no_grad():
        x -= 0.1 * x.grad
        y -= 0.1 * y.grad
    x.grad.zero_()
    y.grad.zero_()
