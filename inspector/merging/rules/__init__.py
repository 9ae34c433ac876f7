"""The rules about several ranks, one module each."""

from inspector.merging.rules import ddp_bypassed, late_bucket, rank_disagreement, unused_parameter
from inspector.merging.rules.rule import RankRule

RANK_RULES: dict[str, RankRule] = {
    module.RULE.name: module.RULE for module in (unused_parameter, ddp_bypassed, rank_disagreement, late_bucket)
}

__all__ = ["RANK_RULES", "RankRule"]
