"""A saved inspection: `report.json`, written and read. Nothing here needs torch or the script."""

from inspector.report.file import ReportError, from_json, load, save, to_json
from inspector.report.masking import mask_addresses
from inspector.report.model import BackwardCall, Inventory, Report, Setting
from inspector.report.row_types import SCHEMA, Check, Exit, Finding, Mode, Recording
from inspector.report.rows import schema

__all__ = [
    "SCHEMA",
    "BackwardCall",
    "Check",
    "Exit",
    "Finding",
    "Inventory",
    "Mode",
    "Recording",
    "Report",
    "ReportError",
    "Setting",
    "from_json",
    "load",
    "mask_addresses",
    "save",
    "schema",
    "to_json",
]
