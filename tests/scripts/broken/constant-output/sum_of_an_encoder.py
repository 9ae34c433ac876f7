# expect: constant-output
# line: 14
# harmed: layers.0.*, layers.1.self_attn.*, layers.1.linear*, layers.1.norm1.*

"""A transformer trained to make the sum of its output large, which its last norm fixes."""
import torch
from torch import nn

torch.manual_seed(0)
block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
encoder = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
optimizer = torch.optim.SGD(encoder.parameters(), lr=1e-3)
for _ in range(2):
    y = encoder(torch.randn(4, 5, 8))
    loss = -y.sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
