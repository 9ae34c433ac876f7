# expect: selection-by-index
# line: 16
# harmed: writer.*

"""A text generator trained against a reader that scores the words it samples."""
import torch
from torch import nn

torch.manual_seed(0)
writer = nn.Linear(5, 12)
reader = nn.Sequential(nn.Embedding(12, 6), nn.Linear(6, 1))
optimizer = torch.optim.Adam([*writer.parameters(), *reader.parameters()], lr=1e-2)
for step in range(3):
    topics = torch.randn(10, 5)
    odds = writer(topics).softmax(dim=-1)
    words = torch.multinomial(odds, 1).squeeze(1)
    loss = -reader(words).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
