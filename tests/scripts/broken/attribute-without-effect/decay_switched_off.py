# expect: attribute-without-effect
# line: 17
# harmed: *

"""A denoising autoencoder whose weight decay is to end after a warm-up."""
import torch
from torch import nn


def train(model, optimizer, batches, warm_up):
    history = []
    for step, clean in enumerate(batches):
        restored = model(clean + 0.1 * torch.randn_like(clean))
        loss = (restored - clean).square().mean()
        loss.backward()
        if step >= warm_up:
            optimizer.weight_decay = 0.0
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        history.append(loss.item())
    return history


torch.manual_seed(0)
autoencoder = nn.Sequential(nn.Linear(10, 3), nn.Tanh(), nn.Linear(3, 10))
adamw = torch.optim.AdamW(autoencoder.parameters(), lr=1e-2, weight_decay=0.1)
print(train(autoencoder, adamw, torch.randn(4, 16, 10), warm_up=1))
