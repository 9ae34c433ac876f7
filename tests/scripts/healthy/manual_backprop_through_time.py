# expect: nothing

"""The loss is a sum over all time steps of a hand-written LSTM; one backward at the end."""
import torch
import torch.nn as nn


class Cell(nn.Module):
    def __init__(self, n_in, hidden):
        super().__init__()
        self.x2g = nn.Linear(n_in, 4 * hidden)
        self.h2g = nn.Linear(hidden, 4 * hidden, bias=False)

    def forward(self, x, state):
        h, c = state
        i, f, g, o = (self.x2g(x) + self.h2g(h)).chunk(4, dim=1)
        c = torch.sigmoid(f + 1.0) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, c


torch.manual_seed(0)
cell, out = Cell(1, 12), nn.Linear(12, 1)
optimizer = torch.optim.Adam([*cell.parameters(), *out.parameters()], lr=1e-2)
wave = torch.sin(torch.linspace(0, 12, 31)).view(31, 1, 1).expand(31, 8, 1) + 0.05 * torch.randn(31, 8, 1)
for epoch in range(5):
    state = (torch.zeros(8, 12), torch.zeros(8, 12))
    loss = 0
    for t in range(30):
        state = cell(wave[t], state)
        loss += nn.functional.mse_loss(out(state[0]), wave[t + 1])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(epoch, loss.item() / 30)
