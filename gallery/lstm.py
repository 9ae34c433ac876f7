"""An LSTM cell unrolled over five steps: its weights are used five times, and backward goes through time."""
import torch
from torch import nn

torch.manual_seed(0)
cell = nn.LSTMCell(2, 3)
sequence = torch.randn(5, 1, 2)
hidden = state = torch.zeros(1, 3)
for step in range(5):
    hidden, state = cell(sequence[step], (hidden, state))
loss = hidden.pow(2).sum()
loss.backward()
