"""From Report to findings: why a gradient is None, NaN, zero, huge or wrong, and on which line.

The rules (`inspector.diagnosis.rules`) are modules that examine the evidence in a Report and yield Findings. No
torch needed: a saved report is diagnosed like a fresh one.
"""

from inspector.diagnosis.rule import SEVERITIES, Rule
from inspector.diagnosis.rules import RULES
from inspector.diagnosis.run_rules import diagnose_report

__all__ = ["RULES", "SEVERITIES", "Rule", "diagnose_report"]
