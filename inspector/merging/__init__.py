"""Merges the reports of the ranks of a distributed run.

What agrees is written once, with its range over the ranks; what differs is a finding.
"""

from inspector.merging.merge import Merged, merge_reports
from inspector.merging.merged_file import MERGED_SCHEMA, to_json
from inspector.merging.rules import RANK_RULES, RankRule

__all__ = ["MERGED_SCHEMA", "RANK_RULES", "Merged", "RankRule", "merge_reports", "to_json"]
