"""HL7 v2 without I/O: everything that others may use of it."""

from connectors.hl7.acknowledgement import (
    TABLE_0357,
    Answer,
    Code,
    Fault,
    acknowledge,
    acknowledge_batch,
    answer,
    is_acknowledgement,
)
from connectors.hl7.batch import Batch, Part
from connectors.hl7.charsets import codec_name
from connectors.hl7.check import Finding, check, strictly
from connectors.hl7.delimiters import Delimiters
from connectors.hl7.errors import Hl7Error
from connectors.hl7.escapes import decode as unescape
from connectors.hl7.escapes import encode as escape
from connectors.hl7.message import NULL, Message, Place, Segment, read, write
from connectors.hl7.patient import about_a_patient
from connectors.hl7.view import build, view

__all__ = [
    "NULL",
    "TABLE_0357",
    "Answer",
    "Batch",
    "Code",
    "Delimiters",
    "Fault",
    "Finding",
    "Hl7Error",
    "Message",
    "Part",
    "Place",
    "Segment",
    "about_a_patient",
    "acknowledge",
    "acknowledge_batch",
    "answer",
    "build",
    "check",
    "codec_name",
    "escape",
    "is_acknowledgement",
    "read",
    "strictly",
    "unescape",
    "view",
    "write",
]  # fmt: skip
