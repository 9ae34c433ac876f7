"""A DistilBERT of transformers that classifies sentences."""

import torch
from transformers import DistilBertConfig, DistilBertForSequenceClassification

torch.manual_seed(0)
config = DistilBertConfig(vocab_size=200, dim=48, n_heads=4, n_layers=4, hidden_dim=96, num_labels=3)
model = DistilBertForSequenceClassification(config)
model.train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range(2):
    optimizer.zero_grad()
    batch = torch.randint(0, 200, (4, 12))
    outputs = model(input_ids=batch, attention_mask=torch.ones_like(batch), labels=torch.tensor([0, 1, 2, 1]))
    outputs.loss.backward()
    optimizer.step()
    print(f"{step} {outputs.loss.item():.4f}")
