"""Small models from the configs of `transformers`, with a batch for each: what is healthy by common consent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Case = tuple[torch.nn.Module, dict[str, Any]]

_VOCABULARY, _WIDTH, _HEADS, _LAYERS = 100, 32, 4, 3


def _ids() -> torch.Tensor:
    return torch.randint(3, _VOCABULARY, (2, 12))


def _images(size: int = 32) -> torch.Tensor:
    return torch.randn(4, 3, size, size)


def gpt2() -> Case:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=_VOCABULARY, n_positions=32, n_embd=_WIDTH, n_layer=_LAYERS, n_head=_HEADS)
    ids = _ids()
    return GPT2LMHeadModel(config), {"input_ids": ids, "labels": ids}


def _of_bert(**more: Any) -> Any:
    from transformers import BertConfig

    return BertConfig(
        vocab_size=_VOCABULARY,
        hidden_size=_WIDTH,
        num_hidden_layers=_LAYERS,
        num_attention_heads=_HEADS,
        intermediate_size=64,
        **more,
    )


def bert() -> Case:
    from transformers import BertForSequenceClassification

    mask = torch.ones(2, 12, dtype=torch.long)
    mask[1, 7:] = 0
    inputs = {"input_ids": _ids(), "attention_mask": mask, "labels": torch.tensor([0, 1])}
    return BertForSequenceClassification(_of_bert()), inputs


def bert_for_masked_words() -> Case:
    from transformers import BertForMaskedLM

    labels = _ids()
    labels[:, ::2] = -100
    return BertForMaskedLM(_of_bert()), {"input_ids": _ids(), "labels": labels}


def t5() -> Case:
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=_VOCABULARY, d_model=_WIDTH, d_kv=8, d_ff=64, num_layers=_LAYERS, num_heads=_HEADS,
        decoder_start_token_id=0,
    )  # fmt: skip
    return T5ForConditionalGeneration(config), {"input_ids": _ids(), "labels": _ids()}


def vit() -> Case:
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        hidden_size=_WIDTH, num_hidden_layers=_LAYERS, num_attention_heads=_HEADS, intermediate_size=64,
        image_size=32, patch_size=8, num_labels=5,
    )  # fmt: skip
    return ViTForImageClassification(config), {"pixel_values": _images(), "labels": torch.arange(4)}


def resnet() -> Case:
    from transformers import ResNetConfig, ResNetForImageClassification

    config = ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 32], depths=[2, 2, 2], layer_type="basic", num_labels=5
    )
    return ResNetForImageClassification(config), {"pixel_values": _images(64), "labels": torch.arange(4)}


def convnext() -> Case:
    from transformers import ConvNextConfig, ConvNextForImageClassification

    config = ConvNextConfig(hidden_sizes=[8, 16, 32, 32], depths=[1, 1, 2, 1], num_labels=5)
    return ConvNextForImageClassification(config), {"pixel_values": _images(64), "labels": torch.arange(4)}


def llama() -> Case:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=_VOCABULARY, hidden_size=_WIDTH, intermediate_size=64, num_hidden_layers=_LAYERS,
        num_attention_heads=_HEADS, num_key_value_heads=2,
    )  # fmt: skip
    ids = _ids()
    return LlamaForCausalLM(config), {"input_ids": ids, "labels": ids}


def mixtral() -> Case:
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(
        vocab_size=_VOCABULARY, hidden_size=_WIDTH, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=_HEADS, num_key_value_heads=2, num_local_experts=4, output_router_logits=True,
    )  # fmt: skip
    ids = _ids()
    return MixtralForCausalLM(config), {"input_ids": ids, "labels": ids}


def whisper() -> Case:
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    config = WhisperConfig(
        vocab_size=_VOCABULARY, num_mel_bins=16, d_model=_WIDTH, encoder_layers=2, decoder_layers=2,
        encoder_attention_heads=_HEADS, decoder_attention_heads=_HEADS, encoder_ffn_dim=64, decoder_ffn_dim=64,
        max_source_positions=20, max_target_positions=16, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        decoder_start_token_id=1, suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    return WhisperForConditionalGeneration(config), {"input_features": torch.randn(2, 16, 40), "labels": _ids()}


MODELS: dict[str, Callable[[], Case]] = {
    "GPT2": gpt2,
    "Bert": bert,
    "Bert, masked words": bert_for_masked_words,
    "T5": t5,
    "ViT": vit,
    "ResNet": resnet,
    "ConvNext": convnext,
    "Llama": llama,
    "Mixtral": mixtral,
    "Whisper": whisper,
}
