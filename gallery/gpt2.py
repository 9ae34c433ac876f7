"""One step of GPT-2: twelve blocks as in the smallest one, of a small width."""
import torch
from transformers import GPT2Config, GPT2LMHeadModel

torch.manual_seed(0)
config = GPT2Config(n_embd=48, n_head=4, n_layer=12, n_positions=32, vocab_size=100)
model = GPT2LMHeadModel(config)
tokens = torch.randint(0, 100, (2, 16))
loss = model(tokens, labels=tokens).loss
loss.backward()
