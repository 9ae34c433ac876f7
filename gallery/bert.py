"""One step of BERT on masked words: twelve layers as in the base model, of a small width."""
import torch
from transformers import BertConfig, BertForMaskedLM

torch.manual_seed(0)
config = BertConfig(
    hidden_size=48, num_attention_heads=4, num_hidden_layers=12, intermediate_size=96, vocab_size=100,
    max_position_embeddings=32,
)
model = BertForMaskedLM(config)
tokens = torch.randint(0, 100, (2, 16))
loss = model(tokens, labels=tokens).loss
loss.backward()
