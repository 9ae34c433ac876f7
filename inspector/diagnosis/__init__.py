"""Report -> findings: why a gradient is None, NaN, zero, huge or wrong, and on which line.

A table of rules (`inspector.diagnosis.rules`), each a module that looks at the evidence in a Report and yields
Findings. Nothing here needs torch: a saved report is diagnosed as a fresh one is.
"""

from inspector.diagnosis.rule import SEVERITIES, Rule
from inspector.diagnosis.rules import RULES
from inspector.diagnosis.run_rules import diagnose_report

__all__ = ["RULES", "SEVERITIES", "Rule", "diagnose_report"]
