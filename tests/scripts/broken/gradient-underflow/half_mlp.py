# expect: gradient-underflow
# line: 26 or 31 or 32
# harmed: *

"""Train completely in half precision to halve the memory."""
import torch
import torch.nn as nn

torch.manual_seed(0)


class Autoencoder(nn.Module):
    def __init__(self, n=256, width=24):
        super().__init__()
        self.enc = nn.Linear(n, width)
        self.mid = nn.Linear(width, width)
        self.dec = nn.Linear(width, n)
        with torch.no_grad():
            self.dec.weight.mul_(1e-3)

    def forward(self, x):
        h = torch.tanh(self.enc(x))
        return self.dec(torch.tanh(self.mid(h)))


model = Autoencoder().half()
data = (0.02 * torch.randn(64, 256)).half()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for epoch in range(4):
    optimizer.zero_grad()
    loss = ((model(data) - data) ** 2).mean()
    loss.backward()
    optimizer.step()
    print(epoch, loss.item())
