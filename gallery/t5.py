"""One step of T5: an encoder and a decoder of six blocks each, as in the small model, of a small width."""
import torch
from transformers import T5Config, T5ForConditionalGeneration

torch.manual_seed(0)
config = T5Config(
    d_model=48, d_kv=12, d_ff=96, num_heads=4, num_layers=6, vocab_size=100, decoder_start_token_id=0
)
model = T5ForConditionalGeneration(config)
tokens, answer = torch.randint(1, 100, (2, 16)), torch.randint(1, 100, (2, 8))
loss = model(input_ids=tokens, labels=answer).loss
loss.backward()
