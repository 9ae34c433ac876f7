"""An LSTM cell of torch.nn, one sample."""
import torch

torch.manual_seed(0)
cell = torch.nn.LSTMCell(2, 2)
x = torch.tensor([[1.0, -0.5]])
h, c = cell(x)
loss = h.pow(2).sum()
loss.backward()
