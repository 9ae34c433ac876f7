import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

torch.manual_seed(0)
config = GPT2Config(vocab_size=64, n_positions=16, n_embd=16, n_layer=2, n_head=2)
model = GPT2LMHeadModel(config)
rows = [{"input_ids": (ids := torch.randint(0, 64, (12,))), "labels": ids} for _ in range(32)]
arguments = TrainingArguments("ckpt", per_device_train_batch_size=4, max_steps=6, save_steps=3, logging_steps=1,
                              report_to="none", use_cpu=True, seed=0)
trainer = Trainer(model, arguments, train_dataset=rows)
print(trainer.train())
torch.save(model.state_dict(), "weights.pt")
