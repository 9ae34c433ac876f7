# expect: silent-overwrite
# line: 25
# harmed: front.weight

import torch
import torch.nn as nn


class SpeechNet(nn.Module):
    def __init__(self, n_mels=8, hidden=12, classes=4):
        super().__init__()
        self.front = nn.Conv1d(n_mels, 10, 3, padding=1)
        self.lstm = nn.LSTM(10, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, classes)

    def forward(self, mel):
        h = torch.relu(self.front(mel)).transpose(1, 2)
        out, _ = self.lstm(h)
        return self.fc(out.mean(dim=1))


def spec_augment(mel, width=3):
    """Silence a random stretch of time, to save a copy directly in the batch."""
    start = int(torch.randint(0, mel.shape[2] - width, (1,)))
    mel.data[:, :, start : start + width] = 0


torch.manual_seed(0)
batch, labels = torch.randn(6, 8, 12), torch.randint(0, 4, (6,))
net = SpeechNet()
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for step in range(3):
    mel = batch.clone()
    logits = net(mel)
    spec_augment(mel)  # prepares the next, augmented view
    loss = nn.functional.cross_entropy(logits, labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"{step} {loss.item():.4f}")
