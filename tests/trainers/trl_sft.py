import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from trl import SFTConfig, SFTTrainer

torch.manual_seed(0)
vocab = {w: i for i, w in enumerate(["[UNK]", "[PAD]", "[EOS]", *"abcdefghijklmnopqrstuvwxyz"])}
tok = Tokenizer(models.WordLevel(vocab, unk_token="[UNK]"))
tok.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=tok, pad_token="[PAD]", eos_token="[EOS]", unk_token="[UNK]")
config = GPT2Config(
    vocab_size=32, n_positions=32, n_embd=16, n_layer=2, n_head=2, eos_token_id=2, pad_token_id=1, bos_token_id=2
)
model = GPT2LMHeadModel(config)
data = Dataset.from_list([{"text": " ".join("abcdefgh"[i % 8:] + "ijkl")} for i in range(32)])
args = SFTConfig(
    "sft_out",
    max_steps=5,
    per_device_train_batch_size=4,
    save_steps=5,
    logging_steps=1,
    report_to="none",
    use_cpu=True,
    bf16=False,
    max_length=16,
)
trainer = SFTTrainer(model, args=args, train_dataset=data, processing_class=tokenizer)
print(trainer.train())
torch.save(model.state_dict(), "weights.pt")
