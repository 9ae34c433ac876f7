"""A saved inspection: writes and reads `report.json`. Needs neither torch nor the script."""

from inspector.report.json_file import ReportError, from_json, load, save, to_json
from inspector.report.json_rows import schema
from inspector.report.mask_addresses import mask_addresses
from inspector.report.model import BackwardCall, Inventory, Report, ScriptRun, Setting
from inspector.report.row_types import SCHEMA, Check, Exit, Finding, Mode, Recording

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
    "ScriptRun",
    "Setting",
    "from_json",
    "load",
    "mask_addresses",
    "save",
    "schema",
    "to_json",
]
