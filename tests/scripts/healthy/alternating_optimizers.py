# expect: nothing
import torch
from torch import nn

torch.manual_seed(0)
encoder, decoder = nn.Linear(6, 3), nn.Linear(3, 6)
optimizers = [torch.optim.SGD(encoder.parameters(), lr=0.1), torch.optim.SGD(decoder.parameters(), lr=0.1)]
for step in range(4):
    x = torch.randn(8, 6)
    loss = (decoder(encoder(x).tanh()) - x).square().mean()
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()
    optimizers[step % 2].step()
