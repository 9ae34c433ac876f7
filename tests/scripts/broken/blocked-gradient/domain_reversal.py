# expect: blocked-gradient
# line: 23 or 33
# harmed: features.*

"""Domain-adversarial training with a gradient reversal layer."""
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import Function


class GradReverse(Function):
    @staticmethod
    def forward(ctx, x, lambd):
        ctx.lambd = lambd
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad_output):
        grad_x = None
        if ctx.needs_input_grad[1]:
            grad_x = -ctx.lambd * grad_output
        return grad_x, None


class DomainNet(nn.Module):
    def __init__(self, n_features=6):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(n_features, 16), nn.ReLU(), nn.Linear(16, 8))
        self.domain = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))

    def forward(self, x, lambd=0.3):
        return self.domain(GradReverse.apply(self.features(x), lambd))


torch.manual_seed(0)
source, target = torch.randn(16, 6), torch.randn(16, 6) + 1.0
x = torch.cat([source, target])
domain = torch.cat([torch.zeros(16), torch.ones(16)]).long()
net = DomainNet()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
for step in range(3):
    loss = F.cross_entropy(net(x), domain)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step} domain loss {loss.item():.4f}")
