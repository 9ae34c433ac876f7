# expect: nothing

"""Train the head first, then add the body's parameters to the optimizer."""
import torch
import torch.nn as nn


class TextModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(25, 12)
        self.body = nn.GRU(12, 12, batch_first=True)
        self.head = nn.Linear(12, 2)

    def forward(self, tokens):
        _, h = self.body(self.embed(tokens))
        return self.head(h[-1])


torch.manual_seed(0)
tokens = torch.randint(0, 25, (20, 6))
labels = (tokens[:, -1] > 12).long()
model = TextModel()
model.embed.requires_grad_(False)
model.body.requires_grad_(False)
optimizer = torch.optim.Adam(model.head.parameters(), lr=1e-2)
for epoch in range(6):
    if epoch == 2:
        model.body.requires_grad_(True)
        optimizer.add_param_group({"params": model.body.parameters(), "lr": 5e-3})
    loss = nn.functional.cross_entropy(model(tokens), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")
