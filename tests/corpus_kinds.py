"""The kinds of faults that need evidence of their own: which scripts of the corpus show them, and which healthy
scripts come close.

A kind has the scripts of its rules, and of other rules those that are listed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """rules: all broken scripts of these rules. broken: further ones, as `rule/script`. healthy: look-alikes."""

    rules: tuple[str, ...]
    broken: tuple[str, ...]
    healthy: tuple[str, ...]


KINDS: dict[str, Kind] = {
    "statements": Kind(
        ("statement-without-effect",),
        (),
        (
            "grads_changed_in_place",
            "gradient_descent_from_scratch",
            "in_place_forms",
            "inplace_allowed",
            "statements_that_look_idle",
            "updates_by_hand",
        ),
    ),
    "attributes": Kind(
        ("attribute-without-effect",),
        (),
        (
            "attributes_of_its_own",
            "attributes_of_modules",
            "frozen_after_rescaling",
            "groups_with_their_own_rates",
            "statistics_frozen_in_train",
            "frozen_backbone_head",
            "gradual_unfreezing",
            "optimizer_with_its_own_rate",
        ),
    ),
    "steps": Kind(
        ("optimizer-never-steps", "step-without-effect", "replaced-parameter"),
        (
            "optimizer-without-gradient/emptied_groups",
            "optimizer-without-gradient/only_frozen_parameters",
            "stale-gradient/encoder_in_two_optimizers",
            "stale-gradient/head_beside_whole_model",
        ),
        (
            "alternating_optimizers",
            "amp_gelu_skipped_steps",
            "gradient_accumulation",
            "learning_rate_finder",
            "one_cycle",
            "optimizer_in_backward",
            "optimizers_switched_with_schedulers",
            "parameters_of_two_optimizers",
            "transformer_warmup_schedule",
            "warm_up_from_zero",
        ),
    ),
    "selections": Kind(
        ("selection-by-index",),
        (),
        (
            "hard_example_mining",
            "mixture_of_experts_idle",
            "sampled_actions",
            "sampled_with_log_probability",
            "switch_moe",
            "top_scores_weighted",
            "vq_vae",
        ),
    ),
    "constants": Kind(
        ("constant-output",),
        (
            "zero-derivative/attention_pool_axis",
            "zero-derivative/binary_softmax_column",
            "zero-derivative/one_logit_cross_entropy",
        ),
        (
            "bias_only_output",
            "last_layer_from_zero",
            "learned_queries",
            "norms_over_features",
            "one_context",
            "targets_of_its_own_network",
            "terms_that_are_constants",
            "zero_init_residual",
        ),
    ),
}
