"""hl7apy as second opinion, on what it reads soundly: CR, known segments, no unusual escapes."""

from __future__ import annotations

from typing import Any

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message

from connectors.hl7.codec import Message, read
from tests.connectors.hl7.corpus import public_files

#: Fields that hl7apy changes, and how; ours stand as they do in the file.
DAMAGED = {
    ("pyhl7__sample_hl7.hl7", "OBR[0]-15"): "an empty surplus component is lost, the next one moves up",
    **{
        ("pyhl7__sample_msh.hl7", field): "a number is written anew: 0001 becomes 1"
        for field in ("PV1[0]-1", "DG1[0]-1", "DG1[0]-13", "IN1[0]-1", "IN1[1]-1", "IN1[2]-1")
    },
}


def leaves_by_hl7apy(text: str) -> dict[str, str]:
    """Every leaf of every segment, by the same places as ours."""
    found: dict[str, str] = {}
    seen: dict[str, int] = {}
    message = parse_message(text, validation_level=VALIDATION_LEVEL.TOLERANT, find_groups=False)
    for segment in message.children:
        at = seen[segment.name] = seen.get(segment.name, -1) + 1
        repetitions: dict[str, int] = {}
        for field in segment.children:
            repetition = repetitions[field.name] = repetitions.get(field.name, -1) + 1
            start = field.name.rpartition("_")[2] + (f"[{repetition}]" if repetition else "")
            for place, value in _parts(field):
                found[f"{segment.name}[{at}]-{start}.{place}"] = value
    return found


def _parts(field: Any) -> list[tuple[str, str]]:
    parts = []
    for c, component in enumerate(field.to_er7().split("^"), 1):
        for s, leaf in enumerate(component.split("&"), 1):
            if leaf:
                parts.append((f"{c}.{s}" if s > 1 else f"{c}", leaf))
    return parts


def ours(message: Message, known: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    seen: dict[str, int] = {}
    for segment in message.segments:
        at = seen[segment.id] = seen.get(segment.id, -1) + 1
        if segment.id in known:
            found |= {f"{segment.id}[{at}]-{place}": leaf for place, leaf in segment.leaves()}
    return found


def differing(theirs: dict[str, str], mine: dict[str, str]) -> set[str]:
    """Segment and field of every leaf that only one of them has, or that differs."""
    return {place.split(".")[0] for place, _ in theirs.items() ^ mine.items()}


def test_both_readers_agree_on_what_hl7apy_reads_soundly() -> None:
    """Leaf by leaf, over the public messages in CR; what hl7apy damages is in the table."""
    compared, damaged = 0, set()
    for path in public_files():
        raw = path.read_bytes()
        if not raw.startswith(b"MSH|^~\\&|") or b"\n" in raw or b"\\" in raw[9:]:
            continue
        message = read(raw)
        try:
            theirs = leaves_by_hl7apy(message.text)
        except HL7apyException:
            continue
        known = {place.split("[")[0] for place in theirs} - {"MSH"}
        mine = ours(message, known)
        theirs = {place: leaf for place, leaf in theirs.items() if place.split("[")[0] in known}
        damaged |= {(path.name, field) for field in differing(theirs, mine)}
        compared += len(mine)

    assert damaged == set(DAMAGED)
    assert compared > 500
