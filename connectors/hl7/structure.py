"""What hl7apy finds wrong with a message by the standard's structures, lengths and data types, on a copy of it."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from connectors.hl7 import names
from connectors.hl7.check import Finding
from connectors.hl7.message import Message

#: hl7apy quotes values, which could be a patient's.
_VALUE = re.compile(r"Value .*(?= not in table )", re.DOTALL)


def violations(message: Message) -> list[Finding]:
    """Errors and warnings of ``hl7apy``, which reads a copy with CR ends and without Z segments, because it drops
    or refuses what it does not know. Slow (a few messages a second); the message itself is untouched."""
    from hl7apy.consts import VALIDATION_LEVEL
    from hl7apy.exceptions import HL7apyException
    from hl7apy.parser import parse_message
    from hl7apy.validation import Validator

    version = message.version
    if names.known_version(version) != version:
        return [Finding("error", "MSH-12", f"hl7apy has no structures of version {version or '?'}", "203")]
    known = [segment.text for segment in message.segments if not segment.id.startswith("Z")]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        try:
            copy = parse_message("\r".join(known) + "\r", validation_level=VALIDATION_LEVEL.TOLERANT)
            Validator.validate(copy, report_file=str(report))
        except (HL7apyException, KeyError, ValueError, AttributeError, IndexError) as error:
            if not report.exists():
                return [Finding("error", "MSH-9", f"hl7apy cannot read it: {type(error).__name__}", "207")]
        return [_finding(line) for line in report.read_text().splitlines() if line]


def _finding(line: str) -> Finding:
    """Of a line such as ``Error: Missing required child ORC.ORC_1``."""
    severity, _, said = line.partition(": ")
    said = _VALUE.sub("A value", said)
    return Finding("warning" if severity == "Warning" else "error", "structure", said)
