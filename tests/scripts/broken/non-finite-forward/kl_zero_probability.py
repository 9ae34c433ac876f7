# expect: non-finite-forward
# line: 21 or 22
# harmed: *

"""Match a predicted distribution to label histograms with a KL loss."""
import torch
import torch.nn as nn


class HistogramNet(nn.Module):
    def __init__(self, bins=5):
        super().__init__()
        self.fc1 = nn.Linear(6, 16)
        self.fc2 = nn.Linear(16, bins)

    def forward(self, x):
        return torch.log_softmax(self.fc2(torch.relu(self.fc1(x))), dim=-1)


def kl_loss(log_q, p):
    log_p = p.log()
    return (p * (log_p - log_q)).sum(dim=-1).mean()


torch.manual_seed(0)
x = torch.randn(20, 6)
votes = torch.randint(0, 5, (20, 4))
target = torch.stack([torch.bincount(v, minlength=5) for v in votes]).float() / 4
model = HistogramNet()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(3):
    optimizer.zero_grad()
    loss = kl_loss(model(x), target)
    loss.backward()
    optimizer.step()
    print(step, loss.item())
