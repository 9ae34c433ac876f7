# expect: nothing

"""FGSM training: gradients to the input, then a step on the perturbed batch."""
import torch
import torch.nn as nn
import torch.nn.functional as F


def perturb(model, x, y, epsilon=0.1):
    delta = torch.zeros_like(x, requires_grad=True)
    loss = F.cross_entropy(model(x + delta), y)
    (grad,) = torch.autograd.grad(loss, delta)
    return (x + epsilon * grad.sign()).detach()


torch.manual_seed(0)
model = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 36, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
x, y = torch.rand(16, 1, 6, 6), torch.randint(0, 4, (16,))
for epoch in range(5):
    x_adv = perturb(model, x, y)
    loss = 0.5 * F.cross_entropy(model(x), y) + 0.5 * F.cross_entropy(model(x_adv), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
