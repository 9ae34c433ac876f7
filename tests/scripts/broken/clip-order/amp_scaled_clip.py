# expect: clip-order
# line: 28
# harmed: *

import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(2, 8, 5, padding=2)
        self.gru = nn.GRU(8, 8, batch_first=True)
        self.fc = nn.Linear(8, 3)

    def forward(self, x):
        h = torch.relu(self.conv(x)).transpose(1, 2)
        h, _ = self.gru(h.float())
        return self.fc(h[:, -1])


def train_epoch(model, loader, optimizer, scaler, criterion, max_norm):
    for x, y in loader:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        scaler.step(optimizer)
        scaler.update()
    return loss.item()


torch.manual_seed(0)
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
loader = [(torch.randn(8, 2, 12), torch.randint(0, 3, (8,))) for _ in range(2)]
for epoch in range(2):
    print(epoch, train_epoch(model, loader, optimizer, scaler, nn.CrossEntropyLoss(), max_norm=1.0))
