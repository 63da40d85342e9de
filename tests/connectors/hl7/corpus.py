"""Real messages: the shipped samples, and a collection of public ones where it lies beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SAMPLES = sorted(set((ROOT / "sample_payloads/hl7").glob("*.hl7")) - {ROOT / "sample_payloads/hl7/without_msh.hl7"})
PUBLIC = ROOT.parent / "shared/corpus/hl7"

#: Files that are not one message: what ``view`` says no to. Reading and writing them back is exact all the same.
NOT_ONE_MESSAGE = {
    "pyhl7__sample_bad_file.hl7": "a file header and a batch header, no message",
    "pyhl7__sample_batch1.hl7": "a batch of two messages",
    "pyhl7__sample_batch3.hl7": "a batch of one message",
    "pyhl7__sample_file.hl7": "a file with a batch of one message",
    "pyhl7__sample_file1.hl7": "a file with a batch of three messages",
    "pyhl7__sample_file4.hl7": "a batch of one message, trailer of a file",
    "pyhl7__sample_file6.hl7": "a file of one message",
}


def public_files() -> list[Path]:
    """Skips the test where the collection is absent."""
    found = sorted(PUBLIC.glob("*.hl7"))
    if not found:
        pytest.skip(f"no public HL7 messages: lay the corpus at {PUBLIC}")
    return found


def sample(name: str) -> bytes:
    return (ROOT / "sample_payloads/hl7" / name).read_bytes()
