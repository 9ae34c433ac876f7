# expect: attribute-without-effect
# line: 21
# harmed: *

"""Retrieval: the item tower is loaded and frozen, the query tower is trained against it."""
import io

import torch
from torch import nn

torch.manual_seed(0)
towers = nn.ModuleDict({"query": nn.Linear(6, 4), "item": nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))})
stored = io.BytesIO()
torch.save(towers["item"].state_dict(), stored)
stored.seek(0)
towers["item"].load_state_dict(torch.load(stored))
for name, tower in towers.items():
    if name == "item":
        # item vectors are in the index already
        tower.eval()
        tower.requires_grad = False

optimizer = torch.optim.Adam(towers.parameters(), lr=1e-2)
for step in range(3):
    queries, items = torch.randn(12, 6), torch.randn(12, 6)
    scores = towers["query"](queries) @ towers["item"](items).T
    loss = nn.functional.cross_entropy(scores, torch.arange(12))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
