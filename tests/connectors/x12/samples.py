"""Where the files are that these tests read."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "sample_payloads" / "x12"
MAPPINGS = ROOT / "mappings"
CORPUS = ROOT.parent / "shared" / "corpus" / "x12"

ACME = {
    "partner": "acme",
    "name": "Acme Medical Supply",
    "supplier_number": "4010",
    "x12": {
        "ours": {"qualifier": "ZZ", "id": "MERCYHOSP", "group_id": "MERCYHOSP"},
        "theirs": {"qualifier": "ZZ", "id": "ACMEMED", "group_id": "ACMEMED"},
        "usage": "T",
        "version": "004010",
        "delimiters": {"element": "*", "component": ">", "segment": "~"},
    },
}


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()
