# expect: clip-order
# line: 19
# harmed: *
import torch
from torch import nn

torch.manual_seed(7)
lstm = nn.LSTM(5, 16, 2, batch_first=True)
head = nn.Linear(16, 1)
model = nn.ModuleList([lstm, head])
parameters = filter(lambda p: p.requires_grad, model.parameters())
optimizer = torch.optim.RMSprop(parameters, lr=1e-2)
for _ in range(6):
    x = torch.randn(8, 20, 5)
    y = x.sum((1, 2)).unsqueeze(1)
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(head(lstm(x)[0][:, -1]), y)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
