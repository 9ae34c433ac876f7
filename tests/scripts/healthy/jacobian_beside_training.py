# expect: nothing

"""torch.autograd.functional between the steps: the Jacobian's norm is printed, the Hessian starts a Newton step."""
import torch
from torch import nn
from torch.autograd.functional import hessian, jacobian

torch.manual_seed(0)
shift = torch.zeros(3, requires_grad=True)


def cost(a):
    return (a - 1).pow(4).sum() + a.prod()


with torch.no_grad():
    shift -= torch.linalg.solve(hessian(cost, shift) + torch.eye(3), jacobian(cost, shift))
net = nn.Sequential(nn.Linear(3, 8), nn.Softplus(), nn.Linear(8, 2))
optimizer = torch.optim.Adam([*net.parameters(), shift], lr=1e-2)
for step in range(4):
    x = torch.randn(16, 3)
    loss = (net(x + shift) - x[:, :2]).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, loss.item(), jacobian(lambda a: net(a + shift), x[0]).norm().item())
