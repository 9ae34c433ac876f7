"""The graphs that are measured: each a module, its inputs, and what makes a root of its output."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from benchmarks.models import MLP, Chain, ResNet, Unrolled, Web


@dataclass(frozen=True)
class Made:
    """A model, its inputs, and the loss of its output."""

    model: nn.Module
    inputs: tuple[Any, ...]
    loss: Callable[[Any], Any] = lambda output: output.pow(2).mean()

    def root(self) -> Any:
        """The root of a new graph."""
        return self.loss(self.model(*self.inputs))


def _gpt2(layers: int) -> Made:
    """The GPT-2 of transformers: small widths, real depths."""
    from transformers import GPT2Config, GPT2LMHeadModel  # type: ignore[import-not-found]

    config = GPT2Config(
        n_layer=layers,
        n_embd=32,
        n_head=4,
        vocab_size=100,
        n_positions=64,
        bos_token_id=None,
        eos_token_id=None,
    )
    ids = torch.randint(0, 100, (2, 32))
    return Made(
        GPT2LMHeadModel(config),
        (ids,),
        lambda output: nn.functional.cross_entropy(output.logits.flatten(0, 1), ids.flatten()),
    )


def _bert() -> Made:
    from transformers import BertConfig, BertModel

    config = BertConfig(
        hidden_size=32,
        num_attention_heads=4,
        intermediate_size=64,
        vocab_size=100,
        max_position_embeddings=64,
        attn_implementation="eager",
    )
    model = BertModel(config)
    return Made(model, (torch.randint(0, 100, (2, 16)),), lambda output: output.last_hidden_state.pow(2).mean())


def _image() -> tuple[Any]:
    return (torch.randn(2, 3, 32, 32),)


CASES: dict[str, Callable[[], Made]] = {
    "MLP, 8 layers": lambda: Made(MLP(8), (torch.randn(4, 32),)),
    "ResNet-18": lambda: Made(ResNet((2, 2, 2, 2), bottleneck=False), _image()),
    "ResNet-152": lambda: Made(ResNet((3, 8, 36, 3), bottleneck=True), _image()),
    "GPT-2, 12 layers": lambda: _gpt2(12),
    "GPT-2, 48 layers": lambda: _gpt2(48),
    "BERT, 12 layers": _bert,
    "LSTM, 100 steps": lambda: Made(Unrolled(), (torch.randn(100, 4, 8),)),
    "LSTM, 1,000 steps": lambda: Made(Unrolled(), (torch.randn(1000, 4, 8),)),
    "chain, 10,000": lambda: Made(Chain(10_000), (torch.ones(2),)),
    "chain, 100,000": lambda: Made(Chain(100_000), (torch.ones(2),)),
    "DAG, 10,000": lambda: Made(Web(10_000, random.Random(0)), (torch.ones(3),)),
    "DAG, 100,000": lambda: Made(Web(100_000, random.Random(0)), (torch.ones(3),)),
    "chain, 1,000,000": lambda: Made(Chain(1_000_000), (torch.ones(2),)),
}
LARGE = ("chain, 100,000", "chain, 1,000,000", "DAG, 100,000")
QUICK = ("MLP, 8 layers", "ResNet-18", "GPT-2, 12 layers", "chain, 10,000")
